--- Ghost text by Neovim's own |vim.lsp.inline_completion| (0.12 and later).
---
--- Neovim asks 200 ms after the last key and shows the old completion until then. It would also insert that one at the
--- place where it began, beside what was typed since. So the insertion is ours: only what still fits, at the cursor.
local feedback = require('impetus.ghost.feedback')
local text = require('impetus.ghost.text')

local M = {}

---@type table<integer, true> clients that were switched off; Neovim takes them for on otherwise
local off = {}

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  if off[client.id] then
    off[client.id] = nil
    vim.lsp.inline_completion.enable(true, { client_id = client.id })
  end
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
end

--- Only for our client: the buffer may have another that completes.
---@param client vim.lsp.Client
---@param _bufnr integer
function M.detach(client, _bufnr)
  if not vim.lsp.get_client_by_id(client.id) then
    return -- it has ended; Neovim would take an unknown client for all of them
  end
  off[client.id] = true
  vim.lsp.inline_completion.enable(false, { client_id = client.id })
end

local function shown()
  local namespace = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
  return namespace and #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

---@param item vim.lsp.inline_completion.Item
---@return impetus.Item
local function converted(item)
  local line, column = unpack(vim.api.nvim_win_get_cursor(0))
  local made = { text = item.insert_text, row = line - 1, col = column, end_col = column }
  if item.range then
    local row, col, _, end_col = item.range:to_extmark()
    made.row, made.col, made.end_col = row, col, end_col
  end
  return made
end

--- Calls |vim.lsp.inline_completion.get()|, which gives the item away only after the keys that are typed already.
---@param taken fun(item: vim.lsp.inline_completion.Item): vim.lsp.inline_completion.Item?
---@return boolean # false when nothing is shown
local function take(taken)
  if not vim.lsp.inline_completion.get({ on_accept = taken }) then
    return false
  end
  local done = false
  vim.schedule(function() -- after what get() has scheduled
    done = true
  end)
  vim.wait(1000, function()
    return done
  end, 1)
  return true
end

---@param part fun(remainder: string): string
---@return boolean # false when there is nothing that fits
function M.accept(part)
  local fits = false
  take(function(item)
    if type(item.insert_text) ~= 'string' then
      fits = true
      return item -- another server's snippet
    end
    local taken, whole = text.accept(converted(item), part)
    fits = taken ~= nil
    if fits then
      feedback.tell(item.client_id, item.command, whole and 'accepted' or 'partly', taken)
    end
  end)
  return fits
end

---@return boolean # false when nothing is shown
function M.dismiss()
  return take(function(item)
    feedback.tell(item.client_id, item.command, 'rejected')
  end)
end

---@param count integer
---@return boolean # false when nothing is shown
function M.select(count)
  if not shown() then
    return false
  end
  vim.lsp.inline_completion.select({ count = count })
  return true
end

return M
