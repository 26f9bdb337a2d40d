--- Questions and explanations: a conversation in a Markdown buffer that grows while the server answers.
local citations = require('impetus.citations')
local client_of = require('impetus.client')
local requests = require('impetus.requests')
local window = require('impetus.window')

local M = {}

local namespace = vim.api.nvim_create_namespace('impetus.answer')
local hints = vim.api.nvim_create_namespace('impetus.answer.hint')

local KEYS = ' %s   <CR> source  a ask on  <C-c> stop  q close%%<'

--- As |search()| takes it.
local CITATION = '\\[\\d[0-9, ]*\\]'

---@class impetus.Turn
---@field question string
---@field line integer where its heading stands
---@field text string
---@field sources table<integer, table> passages by number
---@field done boolean answered to its end
---@field waited boolean for the first index of the workspace

---@class impetus.Conversation
---@field bufnr integer
---@field client vim.lsp.Client
---@field turns impetus.Turn[]
---@field stop? fun() while an answer is being written

---@type impetus.Conversation?
local last

local function state(conversation, text)
  local win = vim.fn.bufwinid(conversation.bufnr)
  if win ~= -1 then
    vim.wo[win].winbar = KEYS:format(text)
  end
end

local function hint(conversation, text)
  local bufnr = conversation.bufnr
  vim.api.nvim_buf_clear_namespace(bufnr, hints, 0, -1)
  if text then
    local line = vim.api.nvim_buf_line_count(bufnr) - 1
    vim.api.nvim_buf_set_extmark(bufnr, hints, line, 0, { virt_lines = { { { text, 'ImpetusHint' } } } })
  end
end

--- Citations look like links; their brackets would be concealed as those of links are.
local function highlight(bufnr, first)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, first, -1)
  local function mark(row, from, to, conceal)
    local options = { end_col = to, hl_group = 'ImpetusCitation', conceal = conceal, priority = 200 }
    vim.api.nvim_buf_set_extmark(bufnr, namespace, row, from, options)
  end
  for index, line in citations.prose(vim.api.nvim_buf_get_lines(bufnr, first, -1, false)) do
    for _, citation in ipairs(citations.of(line)) do
      local row = first + index - 1
      mark(row, citation.first, citation.last)
      mark(row, citation.first, citation.first + 1, '[')
      mark(row, citation.last - 1, citation.last, ']')
    end
  end
end

--- Adds text at the end of the buffer; `first` is where the turn that it belongs to begins.
local function append(bufnr, first, text)
  local row = vim.api.nvim_buf_line_count(bufnr) - 1
  local col = #vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1]
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_text(bufnr, row, col, row, col, vim.split(text, '\n', { plain = true }))
  vim.bo[bufnr].modifiable = false
  highlight(bufnr, first)
end

local function keep_sources(turn, sources)
  for _, source in ipairs(sources) do
    turn.sources[source.number] = source.passage
  end
end

---@param conversation impetus.Conversation
---@param turn impetus.Turn
local function finished(conversation, turn, err, result)
  conversation.stop = nil
  if not vim.api.nvim_buf_is_valid(conversation.bufnr) then
    return
  end
  hint(conversation)
  local lines
  if err then
    lines = { err.cancelled and '*Stopped.*' or ('**Impetus:** %s.'):format(err.message) }
  else
    turn.done = true
    keep_sources(turn, result.sources)
    lines = citations.footer(result)
    if turn.waited and not require('impetus.status').is_indexed(conversation.client) then
      vim.list_extend(lines, { '', '*The index was not complete yet; later answers may know more.*' })
    end
  end
  local blank = turn.text == '' and '' or ('\n'):rep(2 - math.min(2, #turn.text:match('\n*$')))
  append(conversation.bufnr, turn.line, blank .. table.concat(lines, '\n'))
  state(conversation, err and (err.cancelled and 'stopped' or 'failed') or 'answered')
  vim.api.nvim_exec_autocmds('User', { pattern = 'ImpetusAnswered', modeline = false })
end

---@param conversation impetus.Conversation
local function received(conversation, turn, part)
  if not vim.api.nvim_buf_is_valid(conversation.bufnr) then
    return
  end
  if part.kind == 'indexing' then
    turn.waited = true
    local counted = part.total > 0
    hint(conversation, counted and ('indexing: %d of %d files'):format(part.done, part.total) or 'looking for files')
  elseif part.kind == 'sources' then
    hint(conversation, 'looking at the sources')
    keep_sources(turn, part.sources)
  elseif part.kind == 'progress' then
    hint(conversation, ('reading the question and its sources: %d of %d tokens'):format(part.done, part.total))
  elseif part.kind == 'delta' then
    if turn.text == '' then
      hint(conversation)
    end
    turn.text = turn.text .. part.text
    append(conversation.bufnr, turn.line, part.text)
  end
end

---@param conversation impetus.Conversation
---@param question string
local function answer(conversation, question, method, params)
  local bufnr = conversation.bufnr
  local is_first = #conversation.turns == 0
  local line = is_first and 0 or vim.api.nvim_buf_line_count(bufnr) + 1
  local turn = { question = question, line = line, text = '', sources = {}, done = false, waited = false }
  table.insert(conversation.turns, turn)
  append(bufnr, line, ('%s# %s\n\n'):format(is_first and '' or '\n\n', question:gsub('%s+', ' ')))
  local win = window.open(bufnr, 'Impetus')
  vim.api.nvim_win_set_cursor(win, { line + 1, 0 })
  vim.cmd('normal! zt')
  state(conversation, 'answering')
  hint(conversation, 'looking for sources')
  conversation.stop = requests.send(conversation.client, method, params, function(err, result)
    finished(conversation, turn, err, result)
  end, function(part)
    received(conversation, turn, part)
  end)
end

local function open_source(conversation)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local number = citations.at(vim.api.nvim_get_current_line(), col)
  local turn
  for _, candidate in ipairs(conversation.turns) do
    turn = candidate.line < row and candidate or turn
  end
  local passage = number and turn and turn.sources[number]
  if passage then
    require('impetus.jump').to(passage)
  else
    vim.notify(
      number and ('Impetus: no source has the number %d'):format(number) or 'Impetus: no citation on this line'
    )
  end
end

local function ask_on(conversation)
  if conversation.stop then
    return vim.notify('Impetus: still answering; <C-c> stops it', vim.log.levels.WARN)
  end
  vim.ui.input({ prompt = 'Ask on: ' }, function(question)
    if not question or vim.trim(question) == '' then
      return
    end
    local history = {}
    for _, turn in ipairs(conversation.turns) do
      if turn.done then
        table.insert(history, { role = 'user', content = turn.question })
        table.insert(history, { role = 'assistant', content = turn.text })
      end
    end
    answer(conversation, question, 'impetus/ask', { question = question, history = history })
  end)
end

local function keys(conversation)
  local function map(lhs, desc, action)
    vim.keymap.set('n', lhs, action, { buffer = conversation.bufnr, nowait = true, desc = desc })
  end
  local function stop()
    if conversation.stop then
      conversation.stop()
    end
  end
  map('<CR>', 'Open the source', function()
    open_source(conversation)
  end)
  map(']c', 'Next citation', function()
    vim.fn.search(CITATION, 'w')
  end)
  map('[c', 'Previous citation', function()
    vim.fn.search(CITATION, 'bw')
  end)
  map('a', 'Ask on', function()
    ask_on(conversation)
  end)
  map('<C-c>', 'Stop the answer', stop)
  map('q', 'Close', function()
    stop()
    vim.api.nvim_win_close(0, false)
  end)
end

local function begin(client, question, method, params)
  if last and last.stop then
    last.stop()
  end
  local conversation = { bufnr = window.scratch('impetus://answer', 'markdown'), client = client, turns = {} }
  vim.bo[conversation.bufnr].bufhidden = 'hide'
  keys(conversation)
  last = conversation
  answer(conversation, question, method, params)
end

--- Asks about the workspace, or about the `textDocument` and `range` of `params`.
---@param question string
---@param params table
function M.ask(question, params)
  client_of.with(vim.api.nvim_get_current_buf(), function(client)
    begin(client, question, 'impetus/ask', vim.tbl_extend('force', params, { question = question }))
  end)
end

--- Lets the person write the question; `params.question` is what an empty answer stands for.
---@param params table
function M.ask_about(params)
  vim.ui.input({ prompt = params.range and 'Ask about this: ' or 'Ask: ' }, function(question)
    if question and (vim.trim(question) ~= '' or params.question) then
      M.ask(vim.trim(question) ~= '' and question or params.question, params)
    end
  end)
end

---@param params table ExplainParams
function M.explain(params)
  local bufnr = vim.uri_to_bufnr(params.textDocument.uri)
  local where = params.range and params.range.start or params.position
  local title = ('%s, line %d'):format(vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':t'), where.line + 1)
  client_of.with(bufnr, function(client)
    begin(client, title, 'impetus/explain', params)
  end)
end

--- Shows the last answer again.
function M.show()
  if last and vim.api.nvim_buf_is_valid(last.bufnr) then
    window.open(last.bufnr, 'Impetus')
    state(last, last.stop and 'answering' or 'answered')
  else
    vim.notify('Impetus: nothing has been asked yet; try :Impetus ask')
  end
end

return M
