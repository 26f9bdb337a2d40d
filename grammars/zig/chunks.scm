; Definitions
(function_declaration name: (identifier) @name) @definition.function
(source_file (variable_declaration . (identifier) @name) @definition.constant)
(struct_declaration (variable_declaration . (identifier) @name) @definition.constant)
(variable_declaration . (identifier) @name (struct_declaration)) @definition.struct
(variable_declaration . (identifier) @name (enum_declaration)) @definition.enum
(variable_declaration . (identifier) @name (union_declaration)) @definition.struct
(variable_declaration . (identifier) @name (error_set_declaration)) @definition.enum
(container_field name: (identifier) @name) @definition.field
(test_declaration (string (string_content) @name) (block) @body) @definition.function

; Documentation
(comment) @comment

; References
(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression member: (identifier) @reference.call))
(parameter type: (identifier) @reference.type)
(parameter type: (pointer_type (identifier) @reference.type))
(container_field type: (identifier) @reference.type)
(function_declaration type: (identifier) @reference.type)
(struct_initializer . (identifier) @reference.class)
((builtin_function (builtin_identifier) @_import (arguments (string (string_content) @reference.import)))
  (#eq? @_import "@import"))
