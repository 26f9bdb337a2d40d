--- What a person's configuration calls. Everything else is loaded when it is first used.
local M = {}

--- Sets options, see |impetus-options|. Not needed: every option has a default.
--- Called again it changes what runs already: settings go to the server at once.
---@param options? impetus.Options
function M.setup(options)
  require('impetus.config').set(options or {})
  if package.loaded['impetus.client'] then
    require('impetus.client').reconfigure()
  end
end

--- A short text for the statusline; empty where no server is.
---@return string
function M.statusline()
  return package.loaded['impetus.status'] and require('impetus.status').line() or ''
end

return M
