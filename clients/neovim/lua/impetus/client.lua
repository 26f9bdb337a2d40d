--- The language server: where it starts, what it may call here, and how it comes back when it ends unasked.
local config = require('impetus.config')

local M = {}

local NAME = 'impetus'

--- So many restarts within so many seconds are enough.
local RESTARTS, WITHIN_S = 5, 60

--- A server that does not end by itself is killed after so long.
local STOP_MS = 3000

local has = { config = vim.fn.has('nvim-0.11') == 1 }

---@type table<integer, fun(client: vim.lsp.Client)[]> what waits for a client to be initialized
local waiting = {}

---@type table<integer, true> clients that end for a restart
local stopping = {}

---@type number[] when the last restarts were, in seconds
local restarts = {}

--- Methods of a client take a colon since Neovim 0.11.
---@param client vim.lsp.Client
---@param method string
function M.call(client, method, ...)
  if has.config then
    return client[method](client, ...)
  end
  return client[method](...)
end

---@return vim.lsp.Client[]
function M.clients(filter)
  return vim.lsp.get_clients(vim.tbl_extend('force', { name = NAME }, filter or {}))
end

--- Files larger than the server indexes are not sent to it either.
local function max_file_size()
  local index = config.options.settings.index
  return type(index) == 'table' and index.max_file_size or config.options.settings['index.max_file_size'] or 1000000
end

local function is_file(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  return vim.bo[bufnr].buftype == ''
    and name ~= ''
    and not name:find('^%a[%w+.-]+://')
    and vim.fn.getfsize(name) <= max_file_size()
end

---@param place integer|string buffer or path
---@return string? # nil outside any project; open files are all that the server knows then
local function root_of(place)
  return vim.fs.root(place, config.options.root_markers)
end

local function settings()
  return { impetus = next(config.options.settings) and config.options.settings or vim.empty_dict() }
end

--- For |vim.lsp.config()| or, before Neovim 0.11, |vim.lsp.start()|.
---@return vim.lsp.ClientConfig
function M.config()
  local made = {
    name = NAME,
    cmd = config.options.cmd,
    settings = settings(),
    handlers = {
      ['$/progress'] = function(err, result, ctx)
        if not require('impetus.requests').received(result) then
          return vim.lsp.handlers['$/progress'](err, result, ctx)
        end
      end,
      ['impetus/statusChanged'] = function(_, result, ctx)
        require('impetus.status').changed(ctx.client_id, result)
      end,
    },
    commands = {
      ['impetus.ask'] = function(command)
        require('impetus.answer').ask_about(command.arguments[1])
      end,
      ['impetus.explain'] = function(command)
        require('impetus.answer').explain(command.arguments[1])
      end,
    },
    on_init = function(client)
      local actions = waiting[client.id] or {}
      waiting[client.id] = nil
      vim.schedule(function()
        for _, action in ipairs(actions) do
          action(client)
        end
      end)
    end,
    on_exit = vim.schedule_wrap(function(code, signal, client_id)
      M.ended(client_id, code, signal)
    end),
  }
  if has.config then
    made.root_dir = function(bufnr, start)
      if is_file(bufnr) then
        start(root_of(bufnr))
      end
    end
  end
  return made
end

--- How the server is started: what |vim.lsp.config()| says where it exists, else the option.
---@return string[]
function M.command()
  return has.config and vim.lsp.config[NAME].cmd or config.options.cmd
end

--- What stops the server from starting, in words for a person; nil when nothing does.
---@return string?
function M.obstacle()
  local program = M.command()[1]
  if vim.fn.executable(program) == 1 then
    return nil
  end
  local advice = 'install it (pip install impetus) or set the option cmd, see :checkhealth impetus'
  return ('the server "%s" was not found; %s'):format(program, advice)
end

local function attach(bufnr)
  if is_file(bufnr) then
    vim.lsp.start(vim.tbl_extend('force', M.config(), { root_dir = root_of(bufnr) }), { bufnr = bufnr })
  end
end

--- Starts for the files that are open and for those that will be.
function M.enable()
  if has.config then
    vim.lsp.enable(NAME)
    return
  end
  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('impetus.enable', {}),
    callback = function(event)
      attach(event.buf)
    end,
  })
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      attach(bufnr)
    end
  end
end

--- Once, after Neovim has started or the plugin was loaded.
function M.autostart()
  vim.api.nvim_create_autocmd('LspAttach', {
    group = vim.api.nvim_create_augroup('impetus.attach', {}),
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == NAME then
        require('impetus.status').started(client.id)
        require('impetus.ghost').attach(client, event.buf)
      end
    end,
  })
  if not config.options.autostart then
    return
  end
  local obstacle = M.obstacle()
  if obstacle then
    vim.notify('Impetus: ' .. obstacle, vim.log.levels.WARN)
  else
    M.enable()
  end
end

--- After options have changed: the server is told, new clients start with them.
function M.reconfigure()
  if has.config then
    vim.lsp.config(NAME, {}) -- what was resolved before is resolved anew
  end
  for _, client in ipairs(M.clients()) do
    client.settings = settings()
    M.call(client, 'notify', 'workspace/didChangeConfiguration', { settings = client.settings })
  end
  require('impetus.ghost').reconfigure()
end

---@param client vim.lsp.Client
---@param action fun(client: vim.lsp.Client)
local function when_ready(client, action)
  if client.initialized then
    action(client)
  else
    waiting[client.id] = waiting[client.id] or {}
    table.insert(waiting[client.id], action)
  end
end

--- The client of a buffer, or of the folder that Neovim is in; started when there is none.
---@param bufnr integer
---@param action fun(client: vim.lsp.Client)
function M.with(bufnr, action)
  local attached = M.clients({ bufnr = bufnr })[1]
  if attached then
    return when_ready(attached, action)
  end
  local root = root_of(is_file(bufnr) and bufnr or vim.fn.getcwd()) or vim.fn.getcwd()
  for _, client in ipairs(M.clients({ _uninitialized = true })) do
    if client.config.root_dir == root and not M.call(client, 'is_stopped') then
      return when_ready(client, action)
    end
  end
  local obstacle = M.obstacle()
  if obstacle then
    return vim.notify('Impetus: ' .. obstacle, vim.log.levels.ERROR)
  end
  local wanted = has.config and vim.deepcopy(vim.lsp.config[NAME]) or M.config()
  wanted.root_dir = root
  local id = has.config and vim.lsp.start(wanted, { attach = false }) or vim.lsp.start_client(wanted)
  local client = id and vim.lsp.get_client_by_id(id)
  if client then
    require('impetus.status').started(client.id)
    when_ready(client, action)
  end
end

--- Stops every server of ours and starts anew when they have ended, with a fresh count of restarts.
function M.restart()
  restarts = {}
  local running = M.clients()
  for _, client in ipairs(running) do
    stopping[client.id] = true
    M.call(client, 'stop')
    vim.defer_fn(function()
      if stopping[client.id] then
        M.call(client, 'stop', true)
      end
    end, STOP_MS)
  end
  if #running == 0 then
    M.enable()
  end
end

--- A server has ended. Unless it was told to, it is started again: at once, then with growing pauses.
---@param client_id integer
---@param code integer exit code
---@param signal integer
function M.ended(client_id, code, signal)
  waiting[client_id] = nil
  require('impetus.requests').ended(client_id)
  require('impetus.status').ended(client_id)
  if stopping[client_id] then
    stopping[client_id] = nil
    if not next(stopping) then
      vim.defer_fn(M.enable, 100) -- Neovim forgets the old client first, lest it be used again
    end
    return
  end
  if (code == 0 and signal == 0) or vim.v.exiting ~= vim.NIL then
    return
  end
  local now = vim.uv.now() / 1000
  restarts = vim.tbl_filter(function(at)
    return now - at < WITHIN_S
  end, restarts)
  if #restarts >= RESTARTS then
    local message = 'Impetus: the server ended %d times within a minute; see :Impetus log, then :Impetus restart'
    return vim.notify(message:format(RESTARTS + 1), vim.log.levels.ERROR)
  end
  table.insert(restarts, now)
  vim.defer_fn(function()
    vim.notify('Impetus: the server has ended; starting it again', vim.log.levels.WARN)
    M.enable()
  end, 100 * 2 ^ #restarts)
end

return M
