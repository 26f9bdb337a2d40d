--- Citations `[2]` in an answer and the list of sources at its end. Pure.
local M = {}

---@class impetus.Citation
---@field numbers integer[]
---@field first integer column of `[`, bytes from 0
---@field last integer column after `]`

--- Citations of one line, `[2]` or `[2, 5]`. Code between backticks, links and `list[2]` are none.
---@param line string
---@return impetus.Citation[]
function M.of(line)
  local found = {}
  for first, listed, last in line:gmatch('()%[(%d[%d, ]*)%]()') do
    local before, after = line:sub(1, first - 1), line:sub(last, last)
    local in_code = select(2, before:gsub('`', '')) % 2 == 1
    if not in_code and not before:find('[%w_)]$') and after ~= '(' then
      local numbers = {}
      for number in listed:gmatch('%d+') do
        table.insert(numbers, tonumber(number))
      end
      table.insert(found, { numbers = numbers, first = first - 1, last = last - 1 })
    end
  end
  return found
end

--- The number under the cursor, else the next on the line, else the last before it.
---@param line string
---@param col integer
---@return integer?
function M.at(line, col)
  local found = M.of(line)
  for _, citation in ipairs(found) do
    if col < citation.last then
      -- the number that the cursor stands on, or the first right of it
      for number, last in line:sub(1, citation.last):gmatch('(%d+)()', citation.first + 1) do
        if last - 1 > citation.first and col < last then
          return tonumber(number)
        end
      end
      return citation.numbers[#citation.numbers]
    end
  end
  local before = found[#found]
  return before and before.numbers[#before.numbers]
end

--- Lines outside fenced code, with their place among all.
---@param lines string[]
---@return fun(): integer?, string?
function M.prose(lines)
  local index, fence = 0, nil
  return function()
    while index < #lines do
      index = index + 1
      local line = lines[index]
      local marks = line:match('^(```+)') or line:match('^(~~~+)')
      if fence then
        fence = not (marks and vim.startswith(marks, fence)) and fence or nil
      elseif marks then
        fence = marks
      else
        return index, line
      end
    end
  end
end

---@param passage table
---@return string # `path:3-8`
local function place(passage)
  local first, last = passage.range.start.line + 1, passage.range['end'].line + 1
  return first == last and ('%s:%d'):format(passage.path, first) or ('%s:%d-%d'):format(passage.path, first, last)
end

--- What stands under a finished answer.
---@param result table AnswerResult
---@return string[] Markdown
function M.footer(result)
  local lines = {}
  local is_cited = {}
  for _, number in ipairs(result.cited) do
    is_cited[number] = true
  end
  for _, source in ipairs(result.sources) do
    if is_cited[source.number] then
      local passage = source.passage
      local symbol = passage.symbol ~= '' and (' %s'):format(passage.symbol) or ''
      table.insert(lines, ('- [%d] `%s`%s'):format(source.number, place(passage), symbol))
    end
  end
  if #lines > 0 then
    lines = vim.list_extend({ '**Sources**', '' }, lines)
    table.insert(lines, '')
  end
  if #result.unverified > 0 then
    local numbers = vim.tbl_map(function(number)
      return ('[%d]'):format(number)
    end, result.unverified)
    vim.list_extend(lines, { ('Not verified, so do not rely on it: %s'):format(table.concat(numbers, ', ')), '' })
  end
  if result.finishReason == 'length' then
    vim.list_extend(lines, { 'Cut off at the setting `chat.max_tokens`.', '' })
  end
  return vim.list_extend(lines, { ('*%s*'):format(result.model) })
end

return M
