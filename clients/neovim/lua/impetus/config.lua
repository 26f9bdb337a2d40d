--- The options: defaults, what a person has set, and what is wrong with that.
local M = {}

---@class impetus.Keys
---@field accept string|false the whole completion
---@field accept_word string|false its next word
---@field accept_line string|false the rest of its line
---@field next string|false another completion, where there are several
---@field previous string|false
---@field dismiss string|false

---@class impetus.Options
---@field cmd string[] how to start the server; its last word is `lsp`
---@field autostart boolean start for every file; otherwise with the first command
---@field root_markers string[] what the top folder of a project holds
---@field settings table settings of the server, see docs/settings.md
---@field ghost { enable: boolean, keys: impetus.Keys } completion shown as you type
---@field window { layout: 'vsplit'|'split'|'float', size: number, border: string } where answers appear
---@field picker 'auto'|'telescope'|'fzf-lua'|'quickfix' what `:Impetus search` without words opens
M.defaults = {
  cmd = { 'impetus', 'lsp' },
  autostart = true,
  root_markers = { '.impetusignore', '.git', '.hg', '.jj', '.svn' },
  settings = {},
  ghost = {
    enable = true,
    keys = {
      accept = '<Tab>',
      accept_word = '<M-w>',
      accept_line = '<M-l>',
      next = '<M-n>',
      previous = '<M-p>',
      dismiss = '<C-]>',
    },
  },
  window = { layout = 'vsplit', size = 0.45, border = 'rounded' },
  picker = 'auto',
}

local CHOICES = {
  ['window.layout'] = { 'vsplit', 'split', 'float' },
  picker = { 'auto', 'telescope', 'fzf-lua', 'quickfix' },
}

--- Read this, never write it.
---@type impetus.Options
M.options = M.defaults

--- What is wrong with the options as they were last set, for |:checkhealth|.
---@type string[]
M.problems = {}

local function check(given, default, path, problems)
  local sound = {}
  for name, value in pairs(given) do
    local place = path == '' and tostring(name) or path .. '.' .. tostring(name)
    local expected = default[name]
    local is_key = path == 'ghost.keys'
    if expected == nil then
      local known = vim.tbl_keys(default)
      table.sort(known)
      table.insert(problems, ('%s is no option; there are %s'):format(place, table.concat(known, ', ')))
    elseif type(value) ~= type(expected) and not (is_key and value == false) then
      table.insert(problems, ('%s is a %s; give a %s'):format(place, type(value), type(expected)))
    elseif CHOICES[place] and not vim.list_contains(CHOICES[place], value) then
      table.insert(problems, ('%s is "%s"; choose of %s'):format(place, value, table.concat(CHOICES[place], ', ')))
    elseif type(expected) == 'table' and place ~= 'settings' and not vim.islist(expected) then
      sound[name] = check(value, expected, place, problems)
    else
      sound[name] = value
    end
  end
  return sound
end

--- Replaces what was set before. What is wrong keeps its default and is told once.
---@param given table
function M.set(given)
  M.problems = {}
  M.options = vim.tbl_deep_extend('force', M.defaults, check(given, M.defaults, '', M.problems))
  for _, problem in ipairs(M.problems) do
    vim.notify('Impetus: ' .. problem, vim.log.levels.WARN)
  end
end

return M
