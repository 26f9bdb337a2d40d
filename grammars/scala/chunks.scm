; Definitions
(package_clause name: (package_identifier) @name body: (_)) @definition.module
(trait_definition name: (identifier) @name) @definition.trait
(class_definition name: (identifier) @name) @definition.class
(object_definition name: (identifier) @name) @definition.object
(enum_definition name: (identifier) @name) @definition.enum
(simple_enum_case name: (identifier) @name) @definition.constant
(full_enum_case name: (identifier) @name) @definition.constant
(function_definition name: (identifier) @name) @definition.function
(function_declaration name: (identifier) @name) @definition.function
(given_definition name: (identifier) @name) @definition.variable
(type_definition name: (type_identifier) @name) @definition.type
(template_body (val_definition pattern: (identifier) @name) @definition.field)
(template_body (var_definition pattern: (identifier) @name) @definition.field)
(compilation_unit (val_definition pattern: (identifier) @name) @definition.constant)

; Documentation
(block_comment) @comment
(comment) @comment

; References
(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression field: (identifier) @reference.call))
(call_expression function: (generic_function function: (identifier) @reference.call))
(call_expression function: (generic_function function: (field_expression field: (identifier) @reference.call)))
(instance_expression (type_identifier) @reference.class)
(instance_expression (generic_type type: (type_identifier) @reference.class))
(extends_clause type: (type_identifier) @reference.class)
(extends_clause type: (generic_type type: (type_identifier) @reference.class))
(type_identifier) @reference.type
(import_declaration path: (identifier) @reference.import .)
(namespace_selectors (identifier) @reference.import)
