import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { type DevNetwork, startDevNetwork } from './support/dev-network.ts'
import { processes } from './support/processes.ts'
import { createService, type Service } from './support/serverless.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const CLIS = [
  { name: 'osls 3', file: join(ROOT, 'node_modules/osls/bin/serverless.js'), frameworkVersion: "'3'" },
  {
    name: 'osls 4',
    file: join(ROOT, 'test/serverless-versions/node_modules/osls4/bin/serverless.js'),
    frameworkVersion: "'>=3'",
  },
  {
    name: 'serverless 3',
    file: join(ROOT, 'test/serverless-versions/node_modules/serverless3/bin/serverless.js'),
    frameworkVersion: "'3'",
  },
]

/** A file as it may come from AWS: keys and events that mean nothing here, variables, a key of the environment. */
const yml = (service: string, frameworkVersion: string) => `service: ${service}
frameworkVersion: ${frameworkVersion}
org: acme
useDotenv: true
provider:
  name: peerhost
  runtime: nodejs20.x
  region: eu-west-1
  lambdaHashingVersion: '20201221'
  iam: { role: { statements: [{ Effect: Allow, Action: 's3:*', Resource: 'arn:aws:s3:\${aws:region}:\${aws:accountId}:x' }] } }
  vpc: { securityGroupIds: ['\${ssm:/\${sls:stage}/group}'], subnetIds: [] }
  usagePlan: {}
  environment:
    GREETING: \${env:GREETING}
    TABLE: \${ssm:/no/such/parameter, 'table'}
    STAGE: \${sls:stage}
plugins: [serverless-peerhost]
functions:
  hello:
    handler: src/hello.handler
    memorySize: 128MB
    iamRoleStatements: []
    description: { 'Fn::Sub': '\${AWS::Region}' }
    events:
      - httpApi: 'GET /hello/{name}'
      - schedule: rate(1 day)
  event:
    handler: src/event.handler
    memorySize: 128
    price: 0.001
resources: { Resources: {} }
`
const FILES = {
  '.env': 'GREETING=Good day\n',
  'src/hello.ts': `interface Event { pathParameters: { name: string } }
export const handler = async (event: Event) => \`\${process.env.GREETING} \${event.pathParameters.name} \${process.env.TABLE} \${process.env.STAGE}\``,
  'src/event.mjs': `export const handler = async (event) => {
  console.log('got', event.n)
  if (event.n > 9) throw new RangeError('too many')
  return { twice: 2 * event.n }
}`,
}

interface Run {
  code: number | null
  stdout: string
  stderr: string
}

let network: DevNetwork
before(async () => {
  network = await startDevNetwork()
})
after(() => network?.stop())

function start(cli: string, args: string[], { dir }: Service, env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [cli, ...args], {
    cwd: dir,
    env: { ...process.env, PEERHOST_NETWORK_FILE: network.networkFile, SLS_TELEMETRY_DISABLED: '1', CI: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function run(cli: string, args: string[], service: Service, env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const child = start(cli, args, service, env)
  const ended = new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done))
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)])
  return { code: await ended, stdout, stderr }
}

for (const [i, { name, file, frameworkVersion }] of CLIS.entries()) {
  test(`${name}: package, deploy, info, a call, invoke, logs, versions, rollback, remove`, async (t) => {
    const project = `versions${i}`
    const service = createService({ ...FILES, 'serverless.yml': yml(project, frameworkVersion) })
    t.after(() => service.remove())
    const ok = async (...args: string[]) => {
      const result = await run(file, args, service)
      assert.equal(result.code, 0, `${args.join(' ')}:\n${result.stdout}\n${result.stderr}`)
      return result
    }

    const packaged = await ok('package', '--region', 'eu-west-1')
    assert.match(packaged.stderr, /Ignored: event kind schedule \(hello\)/)
    assert.match(packaged.stderr, /Ignored: provider\.iam/)
    assert.ok(existsSync(join(service.dir, '.serverless/hello.js')))

    const deployed = await ok('deploy')
    assert.match(deployed.stderr, new RegExp(`Service deployed to stack ${project}-dev`))
    const url = /GET - (\S+)\/hello\/\{name\}/.exec(deployed.stdout)?.[1]
    assert.ok(url, deployed.stdout)
    assert.match(deployed.stdout, /price: 0\.001 USDC, version: 1, verification: deterministic/)
    const answer = await fetch(`${url}/hello/Ann`)
    assert.equal(await answer.text(), 'Good day Ann table dev')
    assert.match((await ok('deploy')).stderr, /No changes/)
    assert.match(
      (await ok('info')).stdout,
      new RegExp(`service: ${project}\n[\\s\\S]*endpoints?:[\\s\\S]*hello: ${project}-dev-hello`),
    )

    assert.deepEqual(JSON.parse((await ok('invoke', '-f', 'event', '-d', '{"n":4}')).stdout), { twice: 8 })
    assert.deepEqual(JSON.parse((await ok('invoke', 'local', '-f', 'event', '-d', '{"n":5}')).stdout), { twice: 10 })
    writeFileSync(join(service.dir, 'event.yml'), 'n: 6\n')
    assert.deepEqual(JSON.parse((await ok('invoke', '-f', 'event', '-p', 'event.yml')).stdout), { twice: 12 })
    for (const local of [[], ['local']]) {
      const failed = await run(file, ['invoke', ...local, '-f', 'event', '-d', '{"n":10}'], service)
      assert.equal(failed.code, 1)
      assert.match(failed.stdout, /"errorType": "RangeError"/)
      assert.match(failed.stdout + failed.stderr, /RangeError: too many \(PH_RUN_THREW\)/)
    }
    const logs = (await ok('logs', '-f', 'event')).stdout
    assert.match(logs, /got 4\n/)
    assert.match(logs, /got 10\n/)
    assert.equal(
      (await ok('logs', '-f', 'event', '--startTime', '1h', '--filter', 'got 6')).stdout.trim().split('\n').length,
      1,
    )

    writeFileSync(join(service.dir, 'src/event.mjs'), 'export const handler = async () => "new"')
    await ok('deploy', 'function', '-f', 'event')
    assert.equal(JSON.parse((await ok('invoke', '-f', 'event')).stdout), 'new')
    assert.match((await ok('deploy', 'list')).stdout, /event:\n {2}version 1: [\s\S]*\n {2}version 2: /)
    await ok('rollback', 'function', '-f', 'event', '--function-version', '1')
    assert.deepEqual(JSON.parse((await ok('invoke', '-f', 'event', '-d', '{"n":1}')).stdout), { twice: 2 })
    assert.match((await ok('deploy', 'list', 'functions')).stdout, /event:\n {2}version 3: 0\.001 USDC/)

    await ok('remove')
    assert.equal((await fetch(`${url}/hello/Ann`)).status, 404)
  })
}

/** Counts how often a socket of its own answers while the thread pool works: nothing makes that the same twice. */
const RACE = `const crypto = require('node:crypto')
const net = require('node:net')
exports.handler = async () => {
  let rounds = 0
  const server = net.createServer((socket) => socket.pipe(socket))
  await new Promise((resolve) => server.listen('/tmp/echo.sock', resolve))
  const client = net.connect('/tmp/echo.sock')
  client.on('data', (part) => { rounds++; client.write(part) })
  client.write('x')
  await new Promise((resolve) => crypto.pbkdf2('a', 'b', 50000, 8, 'sha1', resolve))
  client.destroy(); server.close()
  return { statusCode: 200, headers: { 'x-rounds': String(rounds) }, body: 'x' }
}`

test('a function that is not deterministic is refused by name and difference; with verification none it is deployed', async (t) => {
  const { file } = CLIS[0]!
  const of = (more: string) =>
    `service: dice\nprovider: peerhost\nplugins: [serverless-peerhost]\nfunctions:\n  roll:\n    handler: roll.handler\n    memorySize: 128\n${more}`
  const service = createService({
    'serverless.yml': of(''),
    'roll.js': 'exports.handler = async () => ({ random: Math.random(), now: Date.now(), id: crypto.randomUUID() })',
  })
  t.after(() => service.remove())
  const virtual = await run(file, ['deploy'], service)
  assert.equal(virtual.code, 0, `clock and randomness are those of the request:\n${virtual.stdout}${virtual.stderr}`)

  writeFileSync(join(service.dir, 'roll.js'), RACE)
  const refused = await run(file, ['deploy'], service)
  assert.equal(refused.code, 1)
  assert.match(
    refused.stdout + refused.stderr,
    /Function "roll" is not deterministic: .*x-rounds.* \(PH_BUNDLE_NOT_DETERMINISTIC\)/,
  )
  assert.match((await run(file, ['info'], service)).stdout, /roll[\s\S]*version: 1\n/)

  writeFileSync(join(service.dir, 'serverless.yml'), of('    verification: none\n'))
  const trusted = await run(file, ['deploy'], service)
  assert.equal(trusted.code, 0, trusted.stdout + trusted.stderr)
  assert.match(trusted.stdout, /version: 2, verification: none/)
})

test('where the sandbox does not work, workers prove what is deterministic', async (t) => {
  const yml =
    'service: proved\nprovider: peerhost\nplugins: [serverless-peerhost]\nfunctions:\n  roll:\n    handler: roll.handler\n    memorySize: 128\n'
  const service = createService({
    'serverless.yml': yml,
    'roll.js': 'exports.handler = async () => ({ random: Math.random() })',
  })
  t.after(() => service.remove())
  const env = { PEERHOST_NSJAIL: '/no/such/nsjail' }
  const proved = await run(CLIS[0]!.file, ['deploy', '--verbose'], service, env)
  assert.equal(proved.code, 0, proved.stdout + proved.stderr)
  assert.match(proved.stderr, /The gateway's workers prove/)
  assert.match(proved.stdout, /verification: deterministic/)
  writeFileSync(join(service.dir, 'roll.js'), RACE)
  const refused = await run(CLIS[0]!.file, ['deploy'], service, env)
  assert.equal(refused.code, 1)
  assert.match(refused.stdout + refused.stderr, /Function "roll" is not deterministic: .*x-rounds/)
})

const WATCHED = `service: watched
provider: peerhost
useDotenv: true
plugins: [serverless-peerhost]
functions:
  hello:
    handler: hello.handler
    memorySize: 128
    environment: { WORD: '\${env:WORD}' }
    events: [httpApi: 'GET /hello']
`

test('serverless dev shows routes and requests, deploys what changes, and leaves no network behind', async (t) => {
  const service = createService({
    'serverless.yml': WATCHED,
    '.env': 'WORD=first\n',
    'hello.js': 'exports.handler = async () => { console.log("was asked"); return "one" }',
  })
  t.after(() => service.remove())
  const child = start(CLIS[0]!.file, ['dev', '--port', '0'], service, { PEERHOST_NETWORK_FILE: undefined })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  const waiting = new Set<() => void>()
  const hear = (part: Buffer) => {
    output += part
    for (const wake of waiting) wake()
  }
  child.stdout!.on('data', hear)
  child.stderr!.on('data', hear)
  const ended = new Promise<number | null>((done) => child.once('close', done))
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(output)
      if (match) return match
      await new Promise<void>((wake, fail) => {
        waiting.add(wake)
        void ended.then((code) => fail(new Error(`serverless dev ended with ${code}:\n${output}`)))
      })
      waiting.clear()
    }
  }

  const edit = (text: string) => writeFileSync(join(service.dir, 'serverless.yml'), text)

  const [, url] = await said(/GET - (\S+)\s+hello, free/)
  assert.equal(await (await fetch(url!)).text(), 'one')
  await said(/ hello 200 [\d.]+ ms \w+\n {4}was asked/)
  writeFileSync(join(service.dir, 'hello.js'), 'exports.handler = async ( => 1')
  await said(/hello\.js:1:\d+: .*\(PH_BUNDLE_FAILED\)/)
  // what cannot be bundled stays as it is, also where serverless.yml is applied meanwhile
  edit(`${WATCHED}# edited\n`)
  await said(/Nothing to deploy/)
  assert.equal(await (await fetch(url!)).text(), 'one')
  writeFileSync(join(service.dir, 'hello.js'), 'exports.handler = async () => "two"')
  await said(/Deployed hello \(version 2\) in/)
  assert.equal(await (await fetch(url!)).text(), 'two')

  // serverless.yml itself: a mistake, a price and another path, a function whose source comes later, and one less
  const base = url!.replace(/\/hello$/, '')
  edit(WATCHED.replace('[httpApi', '[[httpApi'))
  await said(/Cannot parse "serverless\.yml"/)
  edit(WATCHED.replace('128', '1'))
  await said(/memorySize is "1".*\(PH_CONFIG_INVALID\)/)
  assert.equal(await (await fetch(url!)).text(), 'two')
  const priced = WATCHED.replace('GET /hello', 'GET /greeting').replace('128', '128\n    price: 0.002')
  writeFileSync(join(service.dir, 'hello.js'), 'exports.handler = async () => process.env.WORD')
  await said(/Deployed hello \(version 3\)/)
  edit(WATCHED)
  assert.equal(await (await fetch(url!)).text(), 'first')
  writeFileSync(join(service.dir, '.env'), 'WORD=second\n')
  await said(/Deployed hello \(version 4\)/)
  assert.equal(await (await fetch(url!)).text(), 'second')
  edit(priced)
  await said(/Deployed hello \(version 5\)[\s\S]*GET - \S+\/greeting\s+hello, 0\.002 USDC/)
  assert.equal((await fetch(`${base}/greeting`)).status, 402)
  edit(`${priced}  late:\n    handler: late.handler\n    memorySize: 128\n    events: [httpApi: 'GET /late']\n`)
  await said(/"late".*\(PH_CONFIG_HANDLER_NOT_FOUND\)/)
  writeFileSync(
    join(service.dir, 'late.ts'),
    'export const handler = async () => { console.log("late too"); return 3 }',
  )
  await said(/Deployed late \(version 1\)[\s\S]*GET - \S+\/greeting\s+hello[^\n]*\n[^\n]*GET - \S+\/late\s+late, free/)
  assert.equal(await (await fetch(`${base}/late`)).text(), '3')
  await said(/ late 200 [\d.]+ ms \w+\n {4}late too/)
  edit(priced)
  await said(/Removed late/)
  assert.equal((await fetch(`${base}/late`)).status, 404)

  const { pids } = JSON.parse(readFileSync(join(service.dir, '.peerhost/network.json'), 'utf8'))
  // under npx one Ctrl-C comes twice
  child.kill('SIGINT')
  child.kill('SIGINT')
  assert.equal(await ended, 0, output)
  const left = new Set(processes().map(({ pid }) => pid))
  for (const pid of [pids.chain, pids.gateway, ...Object.values<number>(pids.workers)])
    assert.ok(!left.has(pid), `process ${pid} is left`)
})
