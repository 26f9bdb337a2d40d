--- The state that the server reports: for the statusline and, in full, for `:Impetus status`.
local M = {}

---@type table<integer, table|false> StatusResult by client; false until the first
local states = {}

local SYMBOLS = { ok = '✓', warning = '!', error = '✗' }
local AT_WORK = { scanning = true, indexing = true, storing = true }

local function announce()
  vim.api.nvim_exec_autocmds('User', { pattern = 'ImpetusStatus', modeline = false })
  vim.cmd('redrawstatus!')
end

---@param client_id integer
function M.started(client_id)
  states[client_id] = states[client_id] or false
  announce()
end

---@param client_id integer
---@param state table StatusResult
function M.changed(client_id, state)
  states[client_id] = state
  announce()
end

---@param client_id integer
function M.ended(client_id)
  states[client_id] = nil
  announce()
end

--- The state of the buffer's server, else of any.
---@param bufnr? integer
---@return table|false|nil # false while it starts, nil where no server is
function M.of(bufnr)
  local client = require('impetus.client').clients({ bufnr = bufnr or 0 })[1]
  if client and states[client.id] ~= nil then
    return states[client.id]
  end
  local _, any = next(states)
  return any
end

local function percentage(state)
  local done, total, working = 0, 0, false
  for _, index in ipairs(state.indexes) do
    if AT_WORK[index.phase] then
      done, total, working = done + index.done, total + index.total, true
    end
  end
  return working and (total > 0 and math.floor(100 * done / total) or 0) or nil
end

--- Whether the workspace of a client is known whole.
---@param client vim.lsp.Client
---@return boolean
function M.is_indexed(client)
  local state = states[client.id]
  local has_folders = client.workspace_folders and #client.workspace_folders > 0
  return state and not percentage(state) and not (has_folders and #state.indexes == 0)
end

--- `Impetus …` at the start, `Impetus 43%` while indexing, else `Impetus` and one of ✓ ! ✗; empty without a server.
---@return string
function M.line()
  local state = M.of()
  if state == nil then
    return ''
  elseif not state then
    return 'Impetus …'
  end
  local done = percentage(state)
  return done and ('Impetus %d%%'):format(done) or 'Impetus ' .. (SYMBOLS[state.health] or state.health)
end

local function grouped(number)
  return tostring(number):reverse():gsub('(%d%d%d)', '%1,'):reverse():gsub('^,', '')
end

local function index_line(index)
  local root = vim.fn.fnamemodify(vim.uri_to_fname(index.root), ':~')
  local counts = ('%s files, %s chunks'):format(grouped(index.files), grouped(index.chunks))
  if AT_WORK[index.phase] then
    counts = ('%s of %s files, %d a second'):format(grouped(index.done), grouped(index.total), index.rate)
  end
  local failed = index.failed > 0 and (', %s failed'):format(grouped(index.failed)) or ''
  return ('- `%s` **%s**: %s%s'):format(root, index.phase, counts, failed)
end

local function model_line(model)
  local name = model.id ~= '' and (' `%s`'):format(model.id) or ''
  local detail = model.detail:gsub(vim.pesc(vim.uv.os_homedir()), '~')
  return ('- %s%s: **%s**%s'):format(model.role, name, model.state, detail ~= '' and ', ' .. detail or '')
end

local function section(lines, title, items, line_of)
  if #items > 0 then
    vim.list_extend(lines, { '', ('**%s**'):format(title), '' })
    vim.list_extend(lines, vim.tbl_map(line_of, items))
  end
end

---@param state table|false|nil
---@return string[] Markdown
function M.lines(state)
  if state == nil then
    return { 'No server is running; open a file of a project or see :checkhealth impetus' }
  elseif not state then
    return { 'Starting' }
  end
  local lines = { ('%s %s'):format(SYMBOLS[state.health] or state.health, state.message) }
  section(lines, 'Index', state.indexes, index_line)
  section(lines, 'Models', state.models, model_line)
  local problems = vim.list_extend({}, state.problems)
  for _, index in ipairs(state.indexes) do
    vim.list_extend(problems, index.problems)
  end
  section(lines, 'Problems', problems, function(problem)
    return ('- `%s`: %s'):format(problem.subject, problem.message)
  end)
  return lines
end

--- A float that follows the state while it is open.
function M.show()
  local about = vim.api.nvim_get_current_buf()
  local window = require('impetus.window')
  local bufnr = window.report('Impetus status', M.lines(M.of(about)))
  vim.api.nvim_create_autocmd('User', {
    pattern = 'ImpetusStatus',
    callback = function()
      if not vim.api.nvim_buf_is_valid(bufnr) then
        return true -- ends the autocommand
      end
      window.set_lines(bufnr, M.lines(M.of(about)))
    end,
  })
end

return M
