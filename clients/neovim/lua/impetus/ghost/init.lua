--- Completion shown as you type: the keys, and which way it is drawn.
local client_of = require('impetus.client')
local config = require('impetus.config')
local text = require('impetus.ghost.text')

local M = {}

M.native = vim.lsp.inline_completion ~= nil

local way = M.native and require('impetus.ghost.native') or require('impetus.ghost.extmarks')

---@type table<integer, { client: vim.lsp.Client, keys: string[] }>
local attached = {}

local function keycodes(keys)
  return vim.api.nvim_replace_termcodes(keys, true, true, true)
end

--- Does what the key does when nothing is shown: what it was mapped to, else itself.
---@param lhs string
---@param own? table the buffer's mapping that ours took the place of, as |maparg()| gives it
local function otherwise(lhs, own)
  local mapping = own
  for _, candidate in ipairs(own and {} or vim.api.nvim_get_keymap('i')) do
    if candidate.lhsraw == keycodes(lhs) or candidate.lhsrawalt == keycodes(lhs) then
      mapping = candidate
    end
  end
  local keys = lhs
  if mapping and mapping.callback then
    local result = mapping.callback()
    keys = mapping.expr == 1 and result or ''
  elseif mapping then
    keys = mapping.expr == 1 and vim.api.nvim_eval(mapping.rhs) or mapping.rhs
  end
  local again = mapping and mapping.noremap == 0 and 'm' or 'n'
  vim.api.nvim_feedkeys(keycodes(keys), again .. 'i', false) -- before the keys that are typed already
end

---@return table<string, fun(): boolean> # by the name of their keys; false when there is nothing to act on
local function actions()
  local function accept(part)
    return function()
      return way.accept(part)
    end
  end
  local function select(count)
    return function()
      return way.select(count)
    end
  end
  return {
    accept = accept(text.whole),
    accept_word = accept(text.word),
    accept_line = accept(text.line),
    dismiss = way.dismiss,
    next = select(1),
    previous = select(-1),
  }
end

local function map(bufnr, lhs, action, desc)
  local own = vim.fn.maparg(lhs, 'i', false, true)
  own = own.buffer == 1 and own or nil
  vim.keymap.set('i', lhs, function()
    if not action() then
      otherwise(lhs, own)
    end
  end, { buffer = bufnr, desc = desc })
end

local function detach(bufnr)
  if not attached[bufnr] then
    return
  end
  way.detach(attached[bufnr].client, bufnr)
  for _, lhs in ipairs(attached[bufnr].keys) do
    pcall(vim.keymap.del, 'i', lhs, { buffer = bufnr })
  end
  attached[bufnr] = nil
end

--- After the client has attached to a buffer.
---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  detach(bufnr)
  if not config.options.ghost.enable then
    return
  end
  attached[bufnr] = { client = client, keys = {} }
  way.attach(client, bufnr)
  for name, action in pairs(actions()) do
    local lhs = config.options.ghost.keys[name]
    if lhs then
      map(bufnr, lhs, action, 'Impetus: ' .. name:gsub('_', ' '))
      table.insert(attached[bufnr].keys, lhs)
    end
  end
end

--- After options have changed.
function M.reconfigure()
  for _, client in ipairs(client_of.clients()) do
    for bufnr in pairs(client.attached_buffers) do
      M.attach(client, bufnr)
    end
  end
end

return M
