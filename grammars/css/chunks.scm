; A rule is named by its selectors.
(rule_set (selectors) @name (block) @body) @definition.rule
(keyframes_statement (keyframes_name) @name (keyframe_block_list) @body) @definition.keyframes
((declaration (property_name) @name) @definition.variable (#match? @name "^--"))

(comment) @comment

(import_statement (string_value (string_content) @reference.import))
((call_expression (function_name) @_var (arguments (plain_value) @reference.variable)) (#eq? @_var "var"))
