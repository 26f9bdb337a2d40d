--- The program `impetus` beside its language server: the version, the doctor, the log.
local client_of = require('impetus.client')

local M = {}

--- The command line of another command: `impetus lsp` → `impetus doctor`.
---@param ... string
---@return string[]
function M.command(...)
  local command = {}
  for _, word in ipairs(client_of.command()) do
    if word == 'lsp' then
      break
    end
    table.insert(command, word)
  end
  return vim.list_extend(command, { ... })
end

--- Runs every check of `impetus doctor` and shows each as it comes.
function M.doctor()
  local obstacle = client_of.obstacle()
  if obstacle then
    return vim.notify('Impetus: ' .. obstacle, vim.log.levels.ERROR)
  end
  local window = require('impetus.window')
  local bufnr = window.report('Impetus doctor', { 'Checking' })
  local text = ''
  local show = vim.schedule_wrap(function()
    if vim.api.nvim_buf_is_valid(bufnr) then
      window.set_lines(bufnr, vim.split(vim.trim(text), '\n', { plain = true }))
    end
  end)
  local function more(_, data)
    text = text .. (data or '')
    show()
  end
  vim.system(M.command('doctor'), { text = true, stdout = more, stderr = more, cwd = vim.fn.getcwd() }, function()
    show()
  end)
end

---@return string # newest log of the engine, else Neovim's own, which has what the server wrote to standard error
function M.log_path()
  local home = vim.env.IMPETUS_HOME or vim.fs.joinpath(vim.uv.os_homedir(), '.impetus')
  local newest, at = nil, -1
  for _, path in ipairs(vim.fn.glob(vim.fs.joinpath(home, 'logs', '*.log'), true, true)) do
    local changed = vim.fn.getftime(path)
    if changed > at then
      newest, at = path, changed
    end
  end
  return newest or (vim.lsp.log.get_filename or vim.lsp.get_log_path)()
end

function M.log()
  vim.cmd('botright split ' .. vim.fn.fnameescape(M.log_path()))
  vim.bo.readonly, vim.bo.autoread = true, true
  vim.cmd('normal! G')
end

return M
