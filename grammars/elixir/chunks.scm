; Definitions
((call target: (identifier) @_keyword (arguments . (alias) @name) (do_block) @body) @definition.module
  (#any-of? @_keyword "defmodule"))
((call target: (identifier) @_keyword (arguments . (alias) @name) (do_block) @body) @definition.protocol
  (#eq? @_keyword "defprotocol"))
((call target: (identifier) @_keyword (arguments . (alias) @name) (do_block) @body) @container
  (#eq? @_keyword "defimpl"))
((call target: (identifier) @_keyword (arguments . (call target: (identifier) @name))) @definition.function
  (#any-of? @_keyword "def" "defp" "defdelegate" "defguard" "defguardp"))
((call target: (identifier) @_keyword (arguments . (identifier) @name)) @definition.function
  (#any-of? @_keyword "def" "defp" "defdelegate"))
((call target: (identifier) @_keyword (arguments . (binary_operator left: (call target: (identifier) @name)))) @definition.function
  (#any-of? @_keyword "def" "defp" "defguard" "defguardp"))
((call target: (identifier) @_keyword (arguments . (call target: (identifier) @name))) @definition.macro
  (#any-of? @_keyword "defmacro" "defmacrop"))
((call target: (identifier) @_keyword (arguments . (call target: (identifier) @name)) (do_block) @body) @definition.function
  (#any-of? @_keyword "def" "defp"))
((call target: (identifier) @_keyword (arguments . (binary_operator left: (call target: (identifier) @name))) (do_block) @body) @definition.function
  (#any-of? @_keyword "def" "defp"))

; Documentation
(comment) @comment
((unary_operator operand: (call target: (identifier) @_attribute)) @leading
  (#any-of? @_attribute "doc" "spec" "impl" "deprecated" "dialyzer"))
((unary_operator operand: (call target: (identifier) @_attribute (arguments (string (quoted_content) @doc))))
  (#any-of? @_attribute "doc" "moduledoc"))

; References
(call target: (dot right: (identifier) @reference.call))
(call target: (identifier) @reference.call)
((call target: (identifier) @_keyword (arguments . (alias) @reference.import))
  (#any-of? @_keyword "alias" "import" "require" "use"))
((call target: (identifier) @_keyword (arguments . (alias) @reference.implementation))
  (#eq? @_keyword "defimpl"))
