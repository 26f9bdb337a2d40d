--- From a passage of the server to its place in a file.
require('impetus.highlights')

local M = {}

local namespace = vim.api.nvim_create_namespace('impetus.jump')

local SHOWN_MS = 1500

--- A window that a file may be shown in: the one before this, else any, else a new one.
local function target()
  local previous = vim.fn.win_getid(vim.fn.winnr('#'))
  for _, win in ipairs({ previous, unpack(vim.api.nvim_tabpage_list_wins(0)) }) do
    local ordinary = win ~= 0 and vim.api.nvim_win_get_config(win).relative == ''
    if ordinary and vim.bo[vim.api.nvim_win_get_buf(win)].buftype == '' then
      return win
    end
  end
  vim.cmd('topleft vnew')
  return vim.api.nvim_get_current_win()
end

--- Opens the file of a passage and shows its lines for a moment. Leaves a floating window first, which would cover it.
---@param passage { uri: string, range: lsp.Range }
function M.to(passage)
  local here = vim.api.nvim_get_current_win()
  local win = target()
  if vim.api.nvim_win_get_config(here).relative ~= '' then
    vim.api.nvim_win_close(here, false)
  end
  vim.api.nvim_set_current_win(win)
  vim.cmd("normal! m'")
  local bufnr = vim.uri_to_bufnr(passage.uri)
  vim.bo[bufnr].buflisted = true
  vim.api.nvim_win_set_buf(win, bufnr)
  local first, last = passage.range.start.line, passage.range['end'].line
  local count = vim.api.nvim_buf_line_count(bufnr)
  vim.api.nvim_win_set_cursor(win, { math.min(first + 1, count), 0 })
  vim.cmd('normal! zvzz')
  for line = first, math.min(last, count - 1) do
    vim.api.nvim_buf_set_extmark(bufnr, namespace, line, 0, { line_hl_group = 'ImpetusPassage' })
  end
  vim.defer_fn(function()
    if vim.api.nvim_buf_is_valid(bufnr) then
      vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
    end
  end, SHOWN_MS)
end

--- For the quickfix list.
---@param passage table
---@return vim.quickfix.entry
function M.entry(passage)
  local what = passage.symbol ~= '' and ('%s (%s)'):format(passage.symbol, passage.kind)
    or vim.trim(passage.text:match('%S[^\n]*') or '')
  return {
    filename = vim.uri_to_fname(passage.uri),
    lnum = passage.range.start.line + 1,
    end_lnum = passage.range['end'].line + 1,
    col = 1,
    text = what,
  }
end

return M
