; A heading names the section below it, up to the next heading of its level.
(section . (atx_heading heading_content: (inline) @name)) @definition.section
(setext_heading heading_content: (paragraph) @name) @definition.section

(fenced_code_block (info_string (language) @reference.language))
