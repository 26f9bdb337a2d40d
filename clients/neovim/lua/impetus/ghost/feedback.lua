--- Tells the server what became of a suggestion; it counts on this machine, see `impetus stats`.
local client_of = require('impetus.client')

local M = {}

---@param client_id integer
---@param command? lsp.Command that came with the suggestion; it has the suggestion's number
---@param outcome 'shown'|'accepted'|'partly'|'rejected'
---@param text? string what was taken of it
function M.tell(client_id, command, outcome, text)
  local client = vim.lsp.get_client_by_id(client_id)
  local about = command and command.command == 'impetus.feedback' and (command.arguments or {})[1]
  if client and about then
    local characters = text and vim.str_utfindex(text) or nil
    local params = { id = about.id, outcome = outcome, characters = characters }
    client_of.call(client, 'request', 'impetus/feedback', params, function() end) -- nothing to do when it fails
  end
end

return M
