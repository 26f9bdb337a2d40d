-- All that happens while Neovim starts: one command, and a note to look at the open files once it has started.

if vim.g.loaded_impetus then
  return
end
vim.g.loaded_impetus = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('Impetus needs Neovim 0.10 or later; update Neovim', vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command('Impetus', function(call)
  require('impetus.commands').run(call)
end, {
  nargs = '*',
  range = true,
  desc = 'Ask, explain, search and more with Impetus',
  complete = function(lead, line)
    return require('impetus.commands').complete(lead, line)
  end,
})

local start = vim.schedule_wrap(function()
  require('impetus.client').autostart()
end)

if vim.v.vim_did_enter == 1 then
  start()
else
  vim.api.nvim_create_autocmd('VimEnter', { once = true, callback = start })
end
