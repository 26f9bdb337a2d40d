--- `:Impetus …`: the subcommands in one table, and the completion of their names.
local client_of = require('impetus.client')

local M = {}

---@param call vim.api.keyset.create_user_command.command_args
---@return table # `textDocument` and, when lines are given, `range`
local function about(call)
  local bufnr = vim.api.nvim_get_current_buf()
  local params = { textDocument = { uri = vim.uri_from_bufnr(bufnr) } }
  if call.range > 0 then
    local last = vim.api.nvim_buf_get_lines(bufnr, call.line2 - 1, call.line2, false)[1] or ''
    params.range = {
      start = { line = call.line1 - 1, character = 0 },
      ['end'] = { line = call.line2 - 1, character = #last }, -- the server counts bytes, as Neovim prefers
    }
  end
  return params
end

---@type table<string, { desc: string, arguments?: string[], run: fun(text: string, call: table) }>
M.commands = {
  ask = {
    desc = 'Ask about the workspace, or about the lines given',
    run = function(text, call)
      local params = call.range > 0 and about(call) or {}
      local answer = require('impetus.answer')
      if text == '' then
        answer.ask_about(params)
      else
        answer.ask(text, params)
      end
    end,
  },
  explain = {
    desc = 'Explain the code at the cursor, or the lines given',
    run = function(_, call)
      local params = about(call)
      if not params.range then
        local row, col = unpack(vim.api.nvim_win_get_cursor(0))
        params.position = { line = row - 1, character = col }
      end
      require('impetus.answer').explain(params)
    end,
  },
  answer = {
    desc = 'Show the last answer again',
    run = function()
      require('impetus.answer').show()
    end,
  },
  search = {
    desc = 'Search by meaning: words into the quickfix list, none for a picker',
    run = function(text)
      local search = require('impetus.search')
      if text == '' then
        search.pick()
      else
        search.quickfix(text)
      end
    end,
  },
  status = {
    desc = 'Show the state of the index and the models',
    run = function()
      require('impetus.status').show()
    end,
  },
  doctor = {
    desc = 'Check everything, from Python to the editors',
    run = function()
      require('impetus.program').doctor()
    end,
  },
  reindex = {
    desc = 'Index the workspace again; "full" forgets the index first',
    arguments = { 'full' },
    run = function(text)
      client_of.with(vim.api.nvim_get_current_buf(), function(client)
        require('impetus.requests').send(client, 'impetus/reindex', { full = text == 'full' }, function(err)
          vim.notify('Impetus: ' .. (err and err.message or 'indexing'), err and vim.log.levels.ERROR or nil)
        end)
      end)
    end,
  },
  restart = {
    desc = 'Stop the server and start it again',
    run = function()
      client_of.restart()
    end,
  },
  log = {
    desc = 'Open the log',
    run = function()
      require('impetus.program').log()
    end,
  },
}

local function names()
  local found = vim.tbl_keys(M.commands)
  table.sort(found)
  return found
end

---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local name, text = call.args:match('^(%S*)%s*(.-)%s*$')
  local command = M.commands[name]
  if command then
    command.run(text, call)
  else
    local problem = name == '' and 'say what to do' or ('there is no "%s"'):format(name)
    vim.notify(('Impetus: %s; there are %s'):format(problem, table.concat(names(), ', ')), vim.log.levels.ERROR)
  end
end

---@param lead string what is completed
---@param line string the whole command line
---@return string[]
function M.complete(lead, line)
  local name = line:match('Impetus%s+(%S+)%s')
  local offered = name and (M.commands[name] or {}).arguments or names()
  if name and not (M.commands[name] or {}).arguments then
    return {}
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, offered)
end

return M
