import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type DevNetwork, startDevNetwork } from './support/dev-network.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

/** The environment of a user who never saw this repository: the host's own Node and npm, nothing of ours. */
function hostEnvironment(): NodeJS.ProcessEnv {
  const foreign = Object.entries(process.env).filter(([name]) => !/^(?:npm_|NODE_|PEERHOST_|INIT_CWD)/i.test(name))
  const path = (process.env.PATH ?? '')
    .split(':')
    .filter((folder) => !folder.startsWith(ROOT) && !folder.includes('.tools'))
  return { ...Object.fromEntries(foreign), PATH: path.join(':') }
}

const SERVERLESS_YML = `service: parcel
frameworkVersion: '3'
provider: peerhost
plugins: [serverless-peerhost]
functions:
  hello:
    handler: handler.hello
    events: [httpApi: 'GET /hello/{name}']
`
const HANDLER = `exports.hello = async (event) => ({
  statusCode: 200,
  body: JSON.stringify({ hello: event.pathParameters.name }),
})
`

const env = hostEnvironment()
const folder = mkdtempSync(join(tmpdir(), 'peerhost-packed-'))
const project = join(folder, 'project')
let network: DevNetwork | undefined

before(async () => {
  const parcels = join(folder, 'parcels')
  await run(join(ROOT, 'scripts/pack'), [parcels])
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "parcel", "private": true }\n')
  writeFileSync(join(project, 'serverless.yml'), SERVERLESS_YML)
  writeFileSync(join(project, 'handler.js'), HANDLER)
  const tarballs = readdirSync(parcels).map((name) => join(parcels, name))
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs, 'osls@3'], {
    cwd: project,
    env,
  })
})

after(async () => {
  await network?.stop()
  rmSync(folder, { recursive: true, force: true })
})

test('no packed package leads to sources, and each says what it is', () => {
  const own = readdirSync(join(project, 'node_modules/@peerhost'), { withFileTypes: true })
  const names = own.map(({ name }) => `@peerhost/${name}`).filter((name) => !name.includes('nsjail'))
  assert.equal(names.length, 8)
  for (const name of [...names, 'serverless-peerhost', 'peerhost']) {
    const manifest = readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')
    assert.doesNotMatch(manifest, /peerhost-source/)
    assert.match(readFileSync(join(project, 'node_modules', name, 'README.md'), 'utf8'), new RegExp(`^# ${name}\n`))
  }
})

test("the plugin loads under the host's Node", async () => {
  const code = "import('serverless-peerhost').then((plugin) => console.log(typeof plugin.default))"
  const { stdout } = await run('node', ['-e', code], { cwd: project, env })
  assert.equal(stdout.trim(), 'function')
})

test('npx peerhost dev, serverless deploy and a call work from the packed packages', async () => {
  network = await startDevNetwork({ command: ['npx', 'peerhost'], cwd: project, env })
  const { gatewayUrl, accounts } = network.network
  const deployEnv = { ...env, PEERHOST_NETWORK_FILE: network.networkFile }
  const { stdout, stderr } = await run('npx', ['serverless', 'deploy'], { cwd: project, env: deployEnv })
  const answer = await fetch(`${gatewayUrl}/run/${accounts.developer.address}/parcel/hello/world`)
  assert.deepEqual(await answer.json(), { hello: 'world' }, `${stdout}${stderr}${network.output()}`)
  assert.equal(answer.status, 200)
  assert.ok(answer.headers.get('peerhost-receipt'))
})
