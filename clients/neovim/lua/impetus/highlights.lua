--- Highlight groups; a color scheme or a person may set them otherwise.
local groups = {
  ImpetusCitation = 'Underlined',
  ImpetusHint = 'Comment',
  ImpetusGhost = 'NonText',
  ImpetusPassage = 'Visual',
}
for name, link in pairs(groups) do
  vim.api.nvim_set_hl(0, name, { link = link, default = true })
end
