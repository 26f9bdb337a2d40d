--- Windows of the plugin: where answers go, and small reports in the middle.
local config = require('impetus.config')

require('impetus.highlights')

local M = {}

---@param bufnr integer
---@param title string
---@param width integer columns, without the border
---@param height integer
---@return integer window
local function float(bufnr, title, width, height)
  return vim.api.nvim_open_win(bufnr, true, {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 2),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - 1),
    border = config.options.window.border,
    title = ' ' .. title .. ' ',
    style = 'minimal',
  })
end

---@param bufnr integer
---@param title string
---@return integer window
local function placed(bufnr, title)
  local window = config.options.window
  if window.layout == 'float' then
    return float(bufnr, title, math.floor(vim.o.columns * 0.8), math.floor(vim.o.lines * 0.8))
  end
  local size = window.layout == 'vsplit' and vim.o.columns or vim.o.lines
  local split = ('botright %d%s'):format(math.floor(size * window.size), window.layout == 'vsplit' and 'vnew' or 'new')
  vim.cmd(split)
  local win, empty = vim.api.nvim_get_current_win(), vim.api.nvim_get_current_buf()
  vim.api.nvim_win_set_buf(win, bufnr)
  vim.api.nvim_buf_delete(empty, { force = true })
  return win
end

--- Shows a buffer as `window.layout` says and enters it; the window that shows it already is used again.
---@param bufnr integer
---@param title string
---@return integer window
function M.open(bufnr, title)
  local win = vim.fn.bufwinid(bufnr)
  if win ~= -1 then
    vim.api.nvim_set_current_win(win)
    return win
  end
  win = placed(bufnr, title)
  local options = { wrap = true, linebreak = true, breakindent = true, number = false, relativenumber = false }
  options = vim.tbl_extend('error', options, { signcolumn = 'no', foldenable = false, spell = false, list = false })
  options = vim.tbl_extend('error', options, { conceallevel = 2, concealcursor = 'nc', colorcolumn = '' })
  for name, value in pairs(options) do
    vim.api.nvim_set_option_value(name, value, { win = win, scope = 'local' })
  end
  return win
end

---@param name string
---@param filetype string
---@return integer bufnr
function M.scratch(name, filetype)
  local old = vim.fn.bufnr('^' .. vim.fn.escape(name, '[]*?.') .. '$')
  if old ~= -1 then
    vim.api.nvim_buf_delete(old, { force = true })
  end
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(bufnr, name)
  vim.bo[bufnr].filetype = filetype
  vim.bo[bufnr].modifiable = false
  if filetype == 'markdown' then
    pcall(vim.treesitter.start, bufnr, 'markdown')
  end
  return bufnr
end

---@param bufnr integer
---@param lines string[]
function M.set_lines(bufnr, lines)
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
end

--- A report in a float of its own; `q` and `<Esc>` close it.
---@param title string
---@param lines string[]
---@return integer bufnr
function M.report(title, lines)
  local bufnr = M.scratch('impetus://' .. title:lower():gsub(' ', '-'), 'markdown')
  vim.bo[bufnr].bufhidden = 'wipe'
  M.set_lines(bufnr, lines)
  local win = float(bufnr, title, math.min(100, vim.o.columns - 6), math.max(#lines, 12))
  vim.wo[win].wrap, vim.wo[win].linebreak = true, true
  vim.api.nvim_win_set_height(win, math.min(vim.api.nvim_win_text_height(win, {}).all + 1, vim.o.lines - 6))
  vim.wo[win].conceallevel, vim.wo[win].concealcursor = 2, 'nc'
  for _, key in ipairs({ 'q', '<Esc>' }) do
    vim.keymap.set('n', key, '<Cmd>close<CR>', { buffer = bufnr, nowait = true, desc = 'Close' })
  end
  return bufnr
end

return M
