--- Ghost text of our own, for Neovim 0.10 and 0.11.
---
--- What is typed as it was suggested only shortens the ghost; anything else takes it away and asks anew after a pause.
local client_of = require('impetus.client')
local feedback = require('impetus.ghost.feedback')
local text = require('impetus.ghost.text')

require('impetus.highlights')

local M = {}

local namespace = vim.api.nvim_create_namespace('impetus.ghost')
local group = vim.api.nvim_create_augroup('impetus.ghost', {})

local PAUSE_MS = 75

---@class impetus.Ghost
---@field client vim.lsp.Client
---@field items impetus.Item[]
---@field index integer of the item that is shown
---@field pause? uv.uv_timer_t
---@field request? integer
---@field seen? string what the buffer and the cursor were when last looked at

---@type table<integer, impetus.Ghost>
local ghosts = {}

local function cursor()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  return row - 1, col
end

local function moment(bufnr)
  return table.concat({ vim.api.nvim_buf_get_changedtick(bufnr), cursor() }, ' ')
end

local function clear(bufnr)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
end

--- Forgets what is shown and whatever is under way.
local function drop(bufnr)
  local ghost = ghosts[bufnr]
  ghost.items, ghost.index, ghost.seen = {}, 1, nil
  if ghost.pause then
    ghost.pause:stop()
    ghost.pause:close()
    ghost.pause = nil
  end
  if ghost.request then
    client_of.call(ghost.client, 'cancel_request', ghost.request)
    ghost.request = nil
  end
  clear(bufnr)
end

---@return impetus.Item?, string? # the item shown and what is left of it
local function current(bufnr)
  local ghost = ghosts[bufnr]
  local item = ghost and ghost.items[ghost.index]
  if item then
    return item, text.remainder(item, bufnr, cursor())
  end
end

---@return boolean # whether something is shown now
local function show(bufnr)
  clear(bufnr)
  local item, left = current(bufnr)
  if not item or not left or vim.fn.pumvisible() == 1 then
    return false
  end
  local ghost = ghosts[bufnr]
  local lines = vim.tbl_map(function(line)
    return { { line, 'ImpetusGhost' } }
  end, vim.split(left, '\n', { plain = true }))
  if #ghost.items > 1 then
    table.insert(lines[#lines], { (' (%d/%d)'):format(ghost.index, #ghost.items), 'ImpetusHint' })
  end
  local row, col = cursor()
  vim.api.nvim_buf_set_extmark(bufnr, namespace, row, col, {
    virt_text = lines[1],
    virt_text_pos = 'inline',
    virt_lines = #lines > 1 and vim.list_slice(lines, 2) or nil,
    hl_mode = 'combine',
  })
  if not item.told then
    item.told = true
    feedback.tell(ghost.client.id, item.command, 'shown')
  end
  return true
end

local function received(bufnr, result)
  local ghost = ghosts[bufnr]
  ghost.items, ghost.index = {}, 1
  for _, item in ipairs(result and (result.items or result) or {}) do
    local row, col = cursor()
    local made = { text = item.insertText, row = row, col = col, end_col = col, command = item.command }
    if item.range then -- the server counts as Neovim prefers, in bytes
      made.row, made.col, made.end_col = item.range.start.line, item.range.start.character, item.range['end'].character
    end
    table.insert(ghost.items, made)
  end
  show(bufnr)
end

local function request(bufnr)
  local ghost = ghosts[bufnr]
  if bufnr ~= vim.api.nvim_get_current_buf() or not vim.startswith(vim.api.nvim_get_mode().mode, 'i') then
    return
  end
  local asked = moment(bufnr)
  local position = vim.lsp.util.make_position_params(0, ghost.client.offset_encoding)
  local params = vim.tbl_extend('force', position, { context = { triggerKind = 2 } }) -- automatic
  local sent, id
  sent, id = client_of.call(ghost.client, 'request', 'textDocument/inlineCompletion', params, function(err, result)
    if ghosts[bufnr] ~= ghost or ghost.request ~= id then
      return
    end
    ghost.request = nil
    if not err and bufnr == vim.api.nvim_get_current_buf() and asked == moment(bufnr) then
      received(bufnr, result)
    end
  end, bufnr)
  ghost.request = sent and id or nil
end

local function moved(bufnr)
  local now = moment(bufnr)
  if not ghosts[bufnr] or ghosts[bufnr].seen == now then
    return -- one key causes two events
  end
  if not show(bufnr) then
    drop(bufnr)
    ghosts[bufnr].pause = vim.defer_fn(function()
      if ghosts[bufnr] then
        ghosts[bufnr].pause = nil
        request(bufnr)
      end
    end, PAUSE_MS)
  end
  ghosts[bufnr].seen = now
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  M.detach(client, bufnr)
  ghosts[bufnr] = { client = client, items = {}, index = 1 }
  vim.api.nvim_create_autocmd({ 'InsertEnter', 'TextChangedI', 'CursorMovedI', 'TextChangedP' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      moved(bufnr)
    end,
  })
  vim.api.nvim_create_autocmd('InsertLeave', {
    group = group,
    buffer = bufnr,
    callback = function()
      drop(bufnr)
    end,
  })
end

---@param _client vim.lsp.Client
---@param bufnr integer
function M.detach(_client, bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  if ghosts[bufnr] then
    if vim.api.nvim_buf_is_valid(bufnr) then
      drop(bufnr)
    end
    ghosts[bufnr] = nil
  end
end

---@param part fun(remainder: string): string
---@return boolean # false when there is nothing that fits
function M.accept(part)
  local bufnr = vim.api.nvim_get_current_buf()
  local item, left = current(bufnr)
  if not item or not left then
    return false
  end
  local taken, whole = text.accept(item, part)
  feedback.tell(ghosts[bufnr].client.id, item.command, whole and 'accepted' or 'partly', taken)
  return taken ~= nil
end

---@return boolean
function M.dismiss()
  local bufnr = vim.api.nvim_get_current_buf()
  local item, left = current(bufnr)
  if not item or not left then
    return false
  end
  feedback.tell(ghosts[bufnr].client.id, item.command, 'rejected')
  local seen = ghosts[bufnr].seen
  drop(bufnr)
  ghosts[bufnr].seen = seen
  return true
end

---@param count integer
---@return boolean # false when nothing is shown
function M.select(count)
  local bufnr = vim.api.nvim_get_current_buf()
  local _, left = current(bufnr)
  if not left then
    return false
  end
  local ghost = ghosts[bufnr]
  ghost.index = (ghost.index - 1 + count) % #ghost.items + 1
  show(bufnr)
  return true
end

return M
