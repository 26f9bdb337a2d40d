--- Requests to the server that stream, can be stopped, and end exactly once, also when the server does.
local client_of = require('impetus.client')

local M = {}

---@class impetus.Request
---@field client vim.lsp.Client
---@field token string of the parts that stream
---@field on_part? fun(part: table)
---@field on_end fun(err?: lsp.ResponseError, result?: table)
---@field id? integer of the request, as the client counts

---@type table<string, impetus.Request>
local running = {}

local count = 0

local CANCELLED = -32800

---@param request impetus.Request
local function finish(request, err, result)
  if running[request.token] then
    running[request.token] = nil
    request.on_end(err, result)
  end
end

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param on_end fun(err?: lsp.ResponseError, result?: table) err.cancelled when the person stopped it
---@param on_part? fun(part: table) what streams in before the end
---@return fun() stop
function M.send(client, method, params, on_end, on_part)
  count = count + 1
  local request = { client = client, token = 'impetus-nvim-' .. count, on_part = on_part, on_end = on_end }
  running[request.token] = request
  if on_part then
    params = vim.tbl_extend('force', params, { partialResultToken = request.token })
  end
  local sent, id = client_of.call(client, 'request', method, params, function(err, result)
    finish(request, err, result)
  end)
  request.id = id
  if not sent then
    finish(request, { code = 0, message = 'the server is not running; try again in a moment' })
  end
  return function()
    if running[request.token] then
      client_of.call(client, 'cancel_request', request.id)
      finish(request, { code = CANCELLED, message = 'stopped', cancelled = true }) -- Neovim keeps the reply to itself
    end
  end
end

--- `$/progress` of any kind; whether it was for a request of ours.
---@param progress { token: integer|string, value: table }
---@return boolean
function M.received(progress)
  local request = running[progress.token]
  if request and request.on_part then
    request.on_part(progress.value)
    return true
  end
  return type(progress.token) == 'string' and vim.startswith(progress.token, 'impetus-nvim-')
end

--- The client has ended, so no reply will come.
---@param client_id integer
function M.ended(client_id)
  for _, request in pairs(vim.tbl_extend('error', {}, running)) do
    if request.client.id == client_id then
      finish(request, { code = 0, message = 'the server ended before it had answered; ask again' })
    end
  end
end

return M
