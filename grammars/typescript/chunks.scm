; Definitions
(class_declaration name: (_) @name) @definition.class
(export_statement declaration: (class_declaration name: (_) @name)) @definition.class
(function_declaration name: (identifier) @name) @definition.function
(generator_function_declaration name: (identifier) @name) @definition.function
(export_statement declaration: (function_declaration name: (identifier) @name)) @definition.function
(method_definition name: (_) @name) @definition.method
(program (lexical_declaration "const" (variable_declarator name: (identifier) @name)) @definition.constant)
(program (lexical_declaration "let" (variable_declarator name: (identifier) @name)) @definition.variable)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(program (export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @name))) @definition.constant)
(lexical_declaration (variable_declarator name: (identifier) @name value: (class))) @definition.class
(lexical_declaration (variable_declarator name: (identifier) @name value: (arrow_function body: (_) @body))) @definition.function
(lexical_declaration (variable_declarator name: (identifier) @name value: (function_expression body: (_) @body))) @definition.function
(variable_declaration (variable_declarator name: (identifier) @name value: (arrow_function body: (_) @body))) @definition.function
(variable_declaration (variable_declarator name: (identifier) @name value: (function_expression body: (_) @body))) @definition.function
(expression_statement (assignment_expression left: (member_expression property: (property_identifier) @name) right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.function
(pair key: (property_identifier) @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method

; Documentation
(comment) @comment
(decorator) @leading

; References
(call_expression function: (identifier) @reference.call)
(call_expression function: (member_expression property: (property_identifier) @reference.call))
(call_expression function: (member_expression property: (private_property_identifier) @reference.call))
(decorator (identifier) @reference.call)
(new_expression constructor: (identifier) @reference.class)
(new_expression constructor: (member_expression property: (property_identifier) @reference.class))
(import_clause (identifier) @reference.import)
(namespace_import (identifier) @reference.import)
(import_specifier name: (identifier) @reference.import)
; Types
(abstract_class_declaration name: (type_identifier) @name) @definition.class
(export_statement declaration: (abstract_class_declaration name: (type_identifier) @name)) @definition.class
(interface_declaration name: (type_identifier) @name) @definition.interface
(export_statement declaration: (interface_declaration name: (type_identifier) @name)) @definition.interface
(type_alias_declaration name: (type_identifier) @name) @definition.type
(export_statement declaration: (type_alias_declaration name: (type_identifier) @name)) @definition.type
(enum_declaration name: (identifier) @name) @definition.enum
(export_statement declaration: (enum_declaration name: (identifier) @name)) @definition.enum
(internal_module name: (_) @name) @definition.module
(module name: (_) @name) @definition.module
(function_signature name: (identifier) @name) @definition.function
(method_signature name: (_) @name) @definition.method
(abstract_method_signature name: (_) @name) @definition.method
(property_signature name: (property_identifier) @name) @definition.field
(public_field_definition name: (_) @name) @definition.field
(public_field_definition name: (_) @name value: (arrow_function body: (_) @body)) @definition.method

(extends_clause value: (identifier) @reference.class)
(extends_clause value: (member_expression property: (property_identifier) @reference.class))
(implements_clause (type_identifier) @reference.implementation)
(implements_clause (generic_type name: (type_identifier) @reference.implementation))
(extends_type_clause (type_identifier) @reference.class)
(type_annotation (type_identifier) @reference.type)
(generic_type name: (type_identifier) @reference.type)
(type_arguments (type_identifier) @reference.type)
(union_type (type_identifier) @reference.type)
(intersection_type (type_identifier) @reference.type)
(array_type (type_identifier) @reference.type)
