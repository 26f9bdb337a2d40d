; Definitions
(statement (create_table (object_reference name: (identifier) @name))) @definition.table
(statement (create_table (object_reference name: (identifier) @name) (column_definitions) @body)) @definition.table
(statement (create_view (object_reference name: (identifier) @name))) @definition.view
(statement (create_materialized_view (object_reference name: (identifier) @name))) @definition.view
(statement (create_function (object_reference name: (identifier) @name))) @definition.function
(statement (create_procedure (object_reference name: (identifier) @name))) @definition.function
(statement (create_type (object_reference name: (identifier) @name))) @definition.type
(statement (create_trigger (keyword_trigger) . (object_reference name: (identifier) @name))) @definition.trigger
(statement (create_index column: (identifier) @name)) @definition.index
(column_definition name: (identifier) @name) @definition.field
(cte (identifier) @name) @definition.table

; Documentation
(comment) @comment
(marginalia) @comment

; References
(relation (object_reference name: (identifier) @reference.type))
(insert (object_reference name: (identifier) @reference.type))
(alter_table (object_reference name: (identifier) @reference.type))
(create_index (object_reference name: (identifier) @reference.type))
(column_definition (object_reference name: (identifier) @reference.type))
(invocation (object_reference name: (identifier) @reference.call))
(create_trigger (keyword_function) (object_reference name: (identifier) @reference.call))
