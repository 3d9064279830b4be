/** The reference page: markup and style. Its script reads what it shows from openapi.json. */
import { SCRIPT } from './script.ts';

/** Allows only resources of this daemon, and no inline scripts. RapiDoc writes inline styles. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** By default RapiDoc fetches fonts from elsewhere and asks for tokens. */
const SETTINGS = [
  'spec-url="openapi.json"',
  'load-fonts="false"',
  'allow-try="false"',
  'allow-authentication="false"',
  'allow-server-selection="false"',
  'allow-spec-url-load="false"',
  'allow-spec-file-load="false"',
  'allow-spec-file-download="true"',
  'show-header="false"',
  'show-info="true"',
  'render-style="focused"',
  'schema-style="tree"',
  'schema-description-expanded="true"',
  'default-schema-tab="schema"',
  'use-path-in-nav-bar="false"',
  'nav-item-spacing="compact"',
  'sort-tags="false"',
  'primary-color="#1f6f8b"',
  'regular-font="system-ui, sans-serif"',
  'mono-font="ui-monospace, monospace"',
].join(' ');

export const STYLE = `:root { color-scheme: light dark; }
body { margin: 0; font-family: system-ui, sans-serif; }
noscript { display: block; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
rapi-doc { height: 100vh; }
rapi-doc::part(section-navbar-tag), rapi-doc::part(section-tag-title) { text-transform: none; }
`;

export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dtkd API reference</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css">
<script type="module" src="${SCRIPT}"></script>
</head>
<body>
<rapi-doc ${SETTINGS}></rapi-doc>
<noscript>This page needs JavaScript. The same stands in <a href="openapi.json">openapi.json</a>, for any program that reads OpenAPI documents.</noscript>
</body>
</html>
`;
