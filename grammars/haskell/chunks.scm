; Definitions
(data_type name: (_) @name) @definition.type
(newtype name: (_) @name) @definition.type
(type_synonym name: (_) @name) @definition.type
(class name: (_) @name) @definition.interface
(instance name: (_) @name) @container
(declarations (function name: (variable) @name) @definition.function)
(declarations (bind name: (variable) @name) @definition.function)
(declarations (signature name: (variable) @name) @definition.function)
(class_declarations (signature name: (variable) @name) @definition.method)
(instance_declarations (function name: (variable) @name) @definition.method)
(data_constructor (prefix name: (constructor) @name)) @definition.constant
(data_constructor (record name: (constructor) @name)) @definition.constant
(field name: (field_name (variable) @name)) @definition.field

; Documentation
(comment) @comment
(haddock) @comment
(pragma) @leading

; References
(apply function: (variable) @reference.call)
(apply function: (qualified id: (variable) @reference.call))
(infix operator: (infix_id (variable) @reference.call))
(infix left_operand: (variable) @reference.call)
(infix right_operand: (variable) @reference.call)
(apply function: (constructor) @reference.class)
(instance name: (name) @reference.implementation)
(name) @reference.type
(import module: (module) @reference.import)
(import_name (variable) @reference.import)
(import_name type: (name) @reference.import)
