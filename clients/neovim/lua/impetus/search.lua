--- Search by meaning: hits into the quickfix list, or live into a picker where one is installed.
local client_of = require('impetus.client')
local config = require('impetus.config')
local jump = require('impetus.jump')
local requests = require('impetus.requests')

local M = {}

--- Asks the server; `done` gets hits, best first, or nothing and a message.
---@param query string
---@param done fun(entries?: vim.quickfix.entry[], message?: string)
---@return fun() stop
function M.request(query, done)
  local stop, stopped
  client_of.with(vim.api.nvim_get_current_buf(), function(client)
    if stopped then
      return
    end
    stop = requests.send(client, 'impetus/search', { query = query }, function(err, result)
      if err then
        done(nil, not err.cancelled and err.message or nil)
      else
        done(vim.tbl_map(jump.entry, result.hits))
      end
    end)
  end)
  return function()
    stopped = true
    if stop then
      stop()
    end
  end
end

---@param query string
function M.quickfix(query)
  M.request(query, function(entries, message)
    if not entries then
      return message and vim.notify('Impetus: ' .. message, vim.log.levels.ERROR)
    elseif #entries == 0 then
      return vim.notify(('Impetus: nothing found for "%s"'):format(query))
    end
    vim.fn.setqflist({}, ' ', { title = 'Impetus: ' .. query, items = entries })
    vim.cmd('botright copen')
  end)
end

local function has(picker)
  return pcall(require, picker == 'telescope' and 'telescope' or 'fzf-lua')
end

--- The picker of the options, or the first that is installed.
---@return 'telescope'|'fzf-lua'|'quickfix'
function M.picker()
  local wanted = config.options.picker
  for _, picker in ipairs(wanted == 'auto' and { 'telescope', 'fzf-lua' } or { wanted }) do
    if picker ~= 'quickfix' and has(picker) then
      return picker
    end
  end
  return 'quickfix'
end

--- Lets the person write the query.
function M.pick()
  local picker = M.picker()
  if picker == 'quickfix' then
    vim.ui.input({ prompt = 'Search: ' }, function(query)
      if query and vim.trim(query) ~= '' then
        M.quickfix(query)
      end
    end)
  else
    require('impetus.pickers.' .. picker:gsub('-', '_'))()
  end
end

return M
