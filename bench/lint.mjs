// How lint's time grows with a configuration: `npm run build && node bench/lint.mjs`.
import { given, lint, LINTERS, memoryFiles, Source } from '@holdfast/hops';

/** @param {number} at */
const server = (at) => `upstream app${at} {
    hash $cookie_session;
    server 10.0.0.1:3000;
    server 10.0.0.2:3000;
}
server {
    listen 80;
    server_name site${at}.example.com;
    location /ws {
        proxy_pass http://app${at};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }
    location / { proxy_pass http://app${at}; }
}
`;

/** @param {number} bytes */
function configuration(bytes) {
  const parts = [];
  for (let total = 0, at = 0; total < bytes; at++) {
    const part = server(at);
    parts.push(part);
    total += part.length;
  }
  return parts.join('');
}

/** @param {number} bytes */
function measure(bytes) {
  const source = new Source('nginx.conf', configuration(bytes));
  const before = performance.now();
  const { findings } = lint(given(source), { linters: LINTERS, context: { environments: [], files: memoryFiles({}) } });
  return { ms: performance.now() - before, findings: findings.length };
}

measure(200_000);
const [small, large] = [measure(1_000_000), measure(10_000_000)];
console.log(`1 MB: ${small.ms.toFixed(0)} ms, ${small.findings} findings`);
console.log(`10 MB: ${large.ms.toFixed(0)} ms, ${large.findings} findings`);
console.log(`ten times the text takes ${(large.ms / small.ms).toFixed(1)} times as long`);
