; Definitions
(namespace_definition name: (namespace_name) @name body: (_)) @definition.module
(class_declaration name: (name) @name) @definition.class
(interface_declaration name: (name) @name) @definition.interface
(trait_declaration name: (name) @name) @definition.trait
(enum_declaration name: (name) @name) @definition.enum
(enum_case name: (name) @name) @definition.constant
(function_definition name: (name) @name) @definition.function
(method_declaration name: (name) @name) @definition.method
(property_declaration (property_element name: (variable_name (name) @name))) @definition.field
(const_declaration (const_element . (name) @name)) @definition.constant

; Documentation
(comment) @comment

; References
(function_call_expression function: (name) @reference.call)
(function_call_expression function: (qualified_name (name) @reference.call .))
(member_call_expression name: (name) @reference.call)
(nullsafe_member_call_expression name: (name) @reference.call)
(scoped_call_expression name: (name) @reference.call)
(object_creation_expression (name) @reference.class)
(object_creation_expression (qualified_name (name) @reference.class .))
(base_clause (name) @reference.class)
(base_clause (qualified_name (name) @reference.class .))
(class_interface_clause (name) @reference.implementation)
(class_interface_clause (qualified_name (name) @reference.implementation .))
(class_declaration body: (declaration_list (use_declaration (name) @reference.implementation)))
(named_type (name) @reference.type)
(named_type (qualified_name (name) @reference.type .))
(attribute (name) @reference.type)
(class_constant_access_expression . (name) @reference.type)
(scoped_call_expression scope: (name) @reference.type)
(namespace_use_clause (qualified_name (name) @reference.import .))
(namespace_use_clause (name) @reference.import)
