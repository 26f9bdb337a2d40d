; Definitions
(module name: [(constant) @name (scope_resolution name: (constant) @name)]) @definition.module
(class name: [(constant) @name (scope_resolution name: (constant) @name)]) @definition.class
(method name: (_) @name) @definition.function
(singleton_method name: (_) @name) @definition.function
(alias name: (_) @name) @definition.function
(program (assignment left: (constant) @name) @definition.constant)
(body_statement (assignment left: (constant) @name) @definition.constant)

; Documentation
(comment) @comment

; References
(superclass (constant) @reference.class)
(superclass (scope_resolution name: (constant) @reference.class))
(call method: [(identifier) (constant)] @reference.call)
((call receiver: [(constant) @reference.class (scope_resolution name: (constant) @reference.class)] method: (identifier) @_new)
  (#eq? @_new "new"))
((call method: (identifier) @_require arguments: (argument_list (string (string_content) @reference.import)))
  (#any-of? @_require "require" "require_relative"))
((call method: (identifier) @_include arguments: (argument_list [(constant) @reference.implementation (scope_resolution name: (constant) @reference.implementation)]))
  (#any-of? @_include "include" "extend" "prepend"))
(constant) @reference.type
