// `node protocol/src/errors/generate-docs.ts`: writes docs/errors.md from the catalogue; `--check` fails if it is stale.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CATALOGUE, type ErrorDescriptor } from './catalogue.ts'

const AREAS: Record<string, string> = {
  CONFIG: 'Configuration',
  BUNDLE: 'Bundles',
  MANIFEST: 'Manifests',
  STORE: 'Storage',
  CHAIN: 'Chain',
  AUTH: 'Signed access',
  REQUEST: 'Requests',
  GATEWAY: 'Gateways',
  PAY: 'Payments',
  RUN: 'Runs of functions',
  SANDBOX: 'Sandbox',
  WORKER: 'Workers',
  RECEIPT: 'Receipts',
  DEV: 'The local network',
  FILE: 'Files',
  INTERNAL: 'Anything else',
}
const KINDS = { user: 'you can mend it', remote: 'another machine', internal: 'a defect of PeerHost' }

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('{', '‹').replaceAll('}', '›')

let text = `# Errors

Every error has a stable code. A gateway answers with it as JSON, \`{"code", "message", "hint"}\`, and the HTTP status given here; the
command line prints message and hint; the Serverless plugin and the action fail with it. This page is generated from
\`protocol/src/errors/catalogue.ts\`.
`
const entries = Object.entries(CATALOGUE) as [string, ErrorDescriptor][]
const areaOf = (code: string) => code.split('_')[1]!
for (const [area, title] of Object.entries(AREAS)) {
  text += `\n## ${title}\n\n| code | message | what to do | status | whose |\n|---|---|---|---|---|\n`
  for (const [code, { template, hint, status, kind }] of entries.filter(([code]) => areaOf(code) === area)) {
    text += `| \`${code}\` | ${cell(template)} | ${cell(hint)} | ${status} | ${KINDS[kind]} |\n`
  }
}
const unknown = entries.filter(([code]) => !(areaOf(code) in AREAS)).map(([code]) => code)
if (unknown.length > 0) throw new Error(`codes of no known area: ${unknown.join(', ')}`)

const path = join(import.meta.dirname, '../../../docs/errors.md')
if (!process.argv.includes('--check')) {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
} else if (readFileSync(path, 'utf8') !== text) {
  console.error('docs/errors.md is stale: node protocol/src/errors/generate-docs.ts')
  process.exitCode = 1
}
