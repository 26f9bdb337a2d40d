; An element with an id, and a heading, name a section.
(element (start_tag (attribute (attribute_name) @_id [(quoted_attribute_value (attribute_value) @name) (attribute_value) @name])) (#eq? @_id "id")) @definition.section
(element (self_closing_tag (attribute (attribute_name) @_id [(quoted_attribute_value (attribute_value) @name) (attribute_value) @name])) (#eq? @_id "id")) @definition.section
(element (start_tag (tag_name) @_heading) . (text) @name (#any-of? @_heading "h1" "h2" "h3" "title")) @definition.heading

(comment) @comment

; Scripts, styles and pages that are named here
((attribute (attribute_name) @_source [(quoted_attribute_value (attribute_value) @reference.import) (attribute_value) @reference.import])
  (#any-of? @_source "src" "href"))
