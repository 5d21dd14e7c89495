/** How the page of documentation looks: wide, narrow, light and dark. */
export const style = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b2733; background: #fff; overflow-wrap: break-word }
  nav { columns: 3 14rem; margin: 1rem 0 2rem }
  nav a, nav div { display: block; break-inside: avoid; padding-left: 1rem; text-indent: -1rem }
  nav div a { display: inline; padding: 0 .35rem 0 0; font-size: .8rem }
  a { color: #0a5c8a }
  code, pre, h2, td:first-child { font-family: ui-monospace, monospace; font-size: .95em }
  pre { padding: .75rem; background: #f2f5f8; white-space: pre-wrap }
  h1 { margin-top: 3rem }
  h2 { margin-top: 2.5rem; border-top: 1px solid #d5dde5; padding-top: 1rem; font-size: 1.3rem }
  table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; table-layout: fixed }
  th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #e8edf2 }
  th:nth-child(1) { width: 27% } th:nth-child(2) { width: 23% } th:nth-child(3) { width: 13% }
  .note { color: #51606e }
  @media (max-width: 40rem) {
    th { display: none } th:first-child { display: block; width: auto }
    td { display: inline; border: 0; padding-right: .5rem }
    tr { display: block; padding: .35rem 0; border-bottom: 1px solid #e8edf2 }
    td:last-child { display: block }
  }
  @media (prefers-color-scheme: dark) {
    body { background: #12181e; color: #dfe7ee } a { color: #6cb8e6 } .note { color: #93a3b2 } pre { background: #1b242d }
    h2, th, td, tr { border-color: #2b3640 }
  }`;
