; Definitions
(function_definition name: (word) @name) @definition.function
(program (variable_assignment name: (variable_name) @name) @definition.variable)
(program (declaration_command (variable_assignment name: (variable_name) @name)) @definition.variable)

; Documentation
(comment) @comment

; References
(command name: (command_name (word) @reference.call))
((command name: (command_name (word) @_source) . argument: (_) @reference.import)
  (#any-of? @_source "source" "."))
