; Definitions
(class_declaration name: (identifier) @name) @definition.class
(record_declaration name: (identifier) @name) @definition.class
(interface_declaration name: (identifier) @name) @definition.interface
(annotation_type_declaration name: (identifier) @name) @definition.interface
(enum_declaration name: (identifier) @name) @definition.enum
(enum_constant name: (identifier) @name) @definition.constant
(method_declaration name: (identifier) @name) @definition.method
(constructor_declaration name: (identifier) @name) @definition.method
(compact_constructor_declaration name: (identifier) @name) @definition.method
(annotation_type_element_declaration name: (identifier) @name) @definition.method
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.field
(constant_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.field

; Documentation
(block_comment) @comment
(line_comment) @comment

; References
(method_invocation name: (identifier) @reference.call)
(method_reference (identifier) @reference.call .)
(marker_annotation name: (identifier) @reference.type)
(annotation name: (identifier) @reference.type)
(object_creation_expression type: (type_identifier) @reference.class)
(object_creation_expression type: (generic_type (type_identifier) @reference.class))
(superclass (type_identifier) @reference.class)
(superclass (generic_type (type_identifier) @reference.class))
(super_interfaces (type_list (type_identifier) @reference.implementation))
(super_interfaces (type_list (generic_type (type_identifier) @reference.implementation)))
(type_identifier) @reference.type
(import_declaration (scoped_identifier name: (identifier) @reference.import))
