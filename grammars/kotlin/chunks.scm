; Definitions
(class_declaration name: (identifier) @name) @definition.class
(class_declaration "interface" name: (identifier) @name) @definition.interface
(class_declaration name: (identifier) @name [(class_body) (enum_class_body)] @body) @definition.class
(class_declaration "interface" name: (identifier) @name (class_body) @body) @definition.interface
(class_declaration (modifiers (class_modifier "enum")) name: (identifier) @name) @definition.enum
(object_declaration name: (identifier) @name) @definition.object
(companion_object name: (identifier) @name) @definition.object
(function_declaration name: (identifier) @name) @definition.function
(function_declaration name: (identifier) @name (function_body) @body) @definition.function
(type_alias type: (identifier) @name) @definition.type
(enum_entry (identifier) @name) @definition.constant
(source_file (property_declaration (variable_declaration (identifier) @name)) @definition.variable)
(class_body (property_declaration (variable_declaration (identifier) @name)) @definition.field)

; Documentation
(block_comment) @comment
(line_comment) @comment

; References
(call_expression . (identifier) @reference.call)
(call_expression . (navigation_expression (identifier) @reference.call .))
(constructor_invocation (user_type (identifier) @reference.class))
(delegation_specifier (user_type (identifier) @reference.implementation))
(user_type (identifier) @reference.type)
(import (qualified_identifier (identifier) @reference.import .))
