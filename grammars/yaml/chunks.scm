; The keys of the first two levels
(document (block_node (block_mapping (block_mapping_pair key: (_) @name) @definition.key)))
(document (block_node (block_mapping (block_mapping_pair value: (block_node (block_mapping (block_mapping_pair key: (_) @name) @definition.key))))))

(comment) @comment

(alias (alias_name) @reference.alias)
((block_mapping_pair key: (flow_node) @_uses value: (flow_node) @reference.import) (#any-of? @_uses "uses" "image" "extends" "include"))
