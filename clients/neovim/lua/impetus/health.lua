--- `:checkhealth impetus`
local client_of = require('impetus.client')
local config = require('impetus.config')
local program = require('impetus.program')

local M = {}

local health = vim.health

local function neovim()
  health.start('Impetus: Neovim')
  health.ok('Neovim ' .. tostring(vim.version()))
  health.info(
    require('impetus.ghost').native and 'ghost text by vim.lsp.inline_completion' or 'ghost text by the plugin itself'
  )
  if #vim.api.nvim_get_runtime_file('parser/markdown.*', false) > 0 then
    health.ok('answers are highlighted: the tree-sitter parser for Markdown is there')
  else
    health.warn('no tree-sitter parser for Markdown, so answers are plain text', ':TSInstall markdown markdown_inline')
  end
  health.info('search as you type: ' .. require('impetus.search').picker())
  for _, problem in ipairs(config.problems) do
    health.error(problem, 'See :help impetus-options')
  end
end

local function server()
  health.start('Impetus: server')
  local obstacle = client_of.obstacle()
  if obstacle then
    return health.error(obstacle, {
      'pip install impetus, Python 3.11 to 3.13',
      "or name it: require('impetus').setup({ cmd = { '/path/to/impetus', 'lsp' } })",
    })
  end
  local ran = vim.system(program.command('--version'), { text = true }):wait(10000)
  if ran.code == 0 then
    health.ok(('%s (%s)'):format(vim.trim(ran.stdout), vim.fn.exepath(client_of.command()[1])))
  else
    health.error(('%s failed: %s'):format(table.concat(program.command('--version'), ' '), vim.trim(ran.stderr or '')))
  end
  health.info('log: ' .. program.log_path())
end

local function clients()
  health.start('Impetus: connections')
  local found = client_of.clients()
  if #found == 0 then
    return health.warn('no server is running', 'Open a file of a project, then :Impetus status')
  end
  for _, client in ipairs(found) do
    local root = client.config.root_dir or 'no project'
    health.ok(('%s, %d buffers'):format(root, vim.tbl_count(client.attached_buffers)))
  end
  for _, line in ipairs(require('impetus.status').lines(require('impetus.status').of())) do
    if line ~= '' then
      health.info(line)
    end
  end
  health.info('every part of the server is checked by :Impetus doctor')
end

function M.check()
  neovim()
  server()
  clients()
end

return M
