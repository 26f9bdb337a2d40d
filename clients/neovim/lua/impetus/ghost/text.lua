--- Which part of a completion is meant, and where it goes. Columns are bytes from 0, lines count from 0.
local M = {}

---@class impetus.Item
---@field text string
---@field row integer where the text begins
---@field col integer
---@field end_col integer end of what it replaces, on the same line
---@field command? lsp.Command
---@field told? boolean whether the server knows that it was shown

--- What of an item is still to be written when the cursor stands at `row`, `col`; nil when something else was typed.
---@param item impetus.Item
---@param bufnr integer
---@param row integer
---@param col integer
---@return string?
function M.remainder(item, bufnr, row, col)
  if row < item.row or (row == item.row and col < item.col) then
    return nil
  end
  local read, lines = pcall(vim.api.nvim_buf_get_text, bufnr, item.row, item.col, row, col, {})
  local typed = table.concat(read and lines or {}, '\n')
  if read and vim.startswith(item.text, typed) and #typed < #item.text then
    return item.text:sub(#typed + 1)
  end
end

--- The next word with the blanks before it, else the next run of punctuation.
---@param text string
---@return string
function M.word(text)
  return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w_%s\128-\255]+') or text
end

--- Up to the end of the line; a line break at the very start counts to the line after it.
---@param text string
---@return string
function M.line(text)
  return text:match('^\n?[^\n]*')
end

---@param text string
---@return string
function M.whole(text)
  return text
end

--- Writes a part of an item at the cursor, in place of what the item replaces after it.
---@param item impetus.Item
---@param part fun(remainder: string): string
---@return string? # what was written; nil when the item does not fit what was typed meanwhile
---@return boolean? # whether that was all that was left of it
function M.accept(item, part)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  row = row - 1
  local remainder = M.remainder(item, 0, row, col)
  if not remainder then
    return nil
  end
  local text = part(remainder)
  local lines = vim.split(text, '\n', { plain = true })
  local end_col = text == remainder and row == item.row and math.max(item.end_col, col) or col
  vim.api.nvim_buf_set_text(0, row, col, row, end_col, lines)
  local last = #lines
  vim.api.nvim_win_set_cursor(0, { row + last, #lines[last] + (last == 1 and col or 0) })
  return text, text == remainder
end

return M
