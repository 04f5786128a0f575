--- rille.html: pages that are one file and need no other, light or dark as the reader has it, for a phone as for a desk.

local check = require "rille.check"

local html = {}

local LIGHT = "color-scheme:light;--ink:#1a1c1f;--soft:#5b626b;--line:#d9dde2;--paper:#fff;--card:#f6f7f9;--link:#0b5cad"
local DARK = "color-scheme:dark;--ink:#e6e8ea;--soft:#9aa3ad;--line:#343a41;--paper:#14171a;--card:#1c2024;--link:#7db8f0"

-- The theme is the reader's, until <html data-theme="light"> or "dark" says otherwise.
local STYLE = (":root{%s}@media(prefers-color-scheme:dark){:root:not([data-theme=light]){%s}}\n"):format(LIGHT, DARK)
    .. (":root[data-theme=dark]{%s}\n"):format(DARK) .. [[
*{box-sizing:border-box}body{margin:0 auto;max-width:66rem;padding:1rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif}h1,h2{line-height:1.2}a{color:var(--link)}.soft{color:var(--soft);font-size:.9rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}td,th{padding:.2rem .6rem;text-align:left;
vertical-align:top;border-bottom:1px solid var(--line)}th{font-weight:600}.all td+td,.all th+th{text-align:right;
white-space:nowrap}section{margin:1.5rem 0;padding:1rem;background:var(--card);border:1px solid var(--line);
border-radius:.5rem}section h2{margin-top:0}code{font-size:.95rem;overflow-wrap:anywhere}
.facts th{color:var(--soft);font-weight:400;width:13rem}
@media(max-width:40rem){.facts th,.facts td{display:block;width:auto;padding:.1rem 0}.facts th{border:0}}]]

--- Text as HTML shows it, in elements and in attributes between double quotes.
function html.escape(s)
    return (s:gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["\""] = "&quot;", ["'"] = "&#39;" }))
end

--- A table. class: of the element; titles: list of texts, where a "<" in front is left out, or nil; rows: list of lists;
-- cell(i, value, row): the element of one value, by default <td> with the text.
function html.table(class, titles, rows, cell)
    local out = { ("<table class=\"%s\">"):format(class) }
    if titles then
        local words = {}
        for i, title in ipairs(titles) do
            words[i] = "<th>" .. html.escape((title:gsub("^<", ""))) .. "</th>"
        end
        out[2] = "<thead><tr>" .. table.concat(words) .. "</tr></thead>"
    end
    for _, row in ipairs(rows) do
        local words = {}
        for i, value in ipairs(row) do
            words[i] = cell and cell(i, value, row) or "<td>" .. html.escape(value) .. "</td>"
        end
        out[#out + 1] = "<tr>" .. table.concat(words) .. "</tr>"
    end
    out[#out + 1] = "</table>"
    return table.concat(out, "\n")
end

--- The cell of a table of { label, text }, class "facts".
function html.fact(i, value)
    return (i == 1 and "<th>%s</th>" or "<td>%s</td>"):format(html.escape(value))
end

--- A whole page: title (text), style (CSS after that which all pages share), body (HTML).
function html.page(title, style, body)
    return table.concat({
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">",
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">",
        -- Nothing is fetched, whatever a page may hold: browsers refuse it.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline';"
            .. "script-src 'unsafe-inline';img-src data:\">",
        ("<title>%s</title>\n<style>%s\n%s</style></head><body>"):format(html.escape(title), STYLE, style),
        body,
        "</body></html>\n",
    }, "\n")
end

return check.strict(html, "rille.html")
