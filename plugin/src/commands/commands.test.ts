import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { readRegistration } from '@peerhost/chain'
import { startTestChain, type TestChain } from '@peerhost/contracts/testing'
import type { Hex } from '@peerhost/protocol'
import { runServerless } from '../support/run-serverless.ts'
import { type SmallGateway, startSmallGateway } from '../support/small-gateway.ts'
import { createTestService, type TestService } from '../support/test-service.ts'

const YML = `service: shop
frameworkVersion: '3'
provider: peerhost
plugins: [serverless-peerhost]
functions:
  quote:
    handler: src/quote.handler
    price: 0.001
    events: [httpApi: 'GET /quote/{sku}']
  hello:
    handler: src/hello.handler
    events:
      - http: GET hello
`
let chain: TestChain
let gateway: SmallGateway
let service: TestService
let owner: { address: Hex; privateKey: Hex }

before(async () => {
  chain = await startTestChain()
  gateway = await startSmallGateway(chain)
})
after(async () => {
  await gateway?.stop()
  await chain?.stop()
})

beforeEach(async () => {
  owner = await chain.account()
  service = createTestService({
    'serverless.yml': YML,
    'src/quote.ts': 'export const handler = async (): Promise<{ price: number }> => ({ price: 1 })',
    'src/hello.js': 'exports.handler = async () => ({ statusCode: 200, body: "hello" })',
  })
  useNetwork({})
})

afterEach(() => service.remove())

/** A network.json as `peerhost dev` writes it, over the test's chain and gateway. */
function useNetwork(changes: Record<string, unknown>): void {
  const network = {
    gatewayUrl: gateway.url,
    rpcUrl: chain.rpcUrl,
    chainId: 84532,
    ipfsUrl: gateway.url,
    usdc: chain.usdc,
    contracts: chain.contracts,
    pids: {},
    accounts: { developer: { address: owner.address, privateKey: owner.privateKey } },
    ...changes,
  }
  service.write('.peerhost/network.json', JSON.stringify(network))
}

/** Without a sandbox of its own: what is deterministic the gateway says. */
const serverless = (args: string[], env: Record<string, string> = {}, input?: string) =>
  runServerless(args, { cwd: service.dir, input, env: { PEERHOST_NSJAIL: '/no/such/nsjail', ...env } })
const registered = (name: string, project = 'shop') =>
  readRegistration(chain.provider, chain.contracts.ExecutionCoordinator, owner.address, project, name)

/** Runs deploy and expects it to be refused with a code, and nothing to be registered. */
async function refused(code: string, env: Record<string, string> = {}): Promise<string> {
  const run = await serverless(['deploy'], env)
  const output = run.stdout + run.stderr
  assert.equal(run.code, 1, output)
  assert.ok(output.includes(`(${code})`), output)
  assert.ok(!/^\s+at /m.test(output), 'no stack trace')
  assert.equal((await registered('quote')).version, 0)
  return output
}

test('deploy registers in one transaction, prints what Serverless users know, and says so when nothing changed', async () => {
  const first = await serverless(['deploy'])
  assert.equal(first.code, 0, first.stdout + first.stderr)
  assert.match(first.stderr, /Deploying shop to stage dev/)
  assert.match(first.stderr, /Service deployed to stack shop-dev \(/)
  const base = `${gateway.url}/run/${owner.address}/shop`
  assert.ok(first.stdout.includes(`endpoints:\n  GET - ${base}/quote/{sku}\n  GET - ${base}/hello\n`), first.stdout)
  assert.match(first.stdout, /functions:\n {2}quote: shop-dev-quote \(\d+ B\)\n {4}price: 0\.001 USDC, version: 1/)
  assert.match(first.stdout, /code: bafkrei/)
  assert.match(first.stdout, /transaction: 0x[0-9a-f]{64} \(gas \d+\)/)
  assert.equal((await registered('quote')).version, 1)
  assert.equal((await registered('hello')).version, 1)
  assert.equal(await chain.provider.getTransactionCount(owner.address), 1)

  const again = await serverless(['deploy'])
  assert.equal(again.code, 0)
  assert.match(again.stderr, /No changes/)
  assert.match(again.stdout, /version: 1 \(unchanged\)/)
  assert.equal(await chain.provider.getTransactionCount(owner.address), 1)

  service.write('src/quote.ts', 'export const handler = async () => ({ price: 2 })')
  const changed = await serverless(['deploy', '--json'])
  const result = JSON.parse(changed.stdout)
  assert.deepEqual(
    result.functions.map((fn: { name: string; version: number; changed: boolean }) => [
      fn.name,
      fn.version,
      fn.changed,
    ]),
    [
      ['quote', 2, true],
      ['hello', 1, false],
    ],
  )
  assert.equal((await registered('hello')).version, 1)

  service.write('serverless.yml', YML.replace('0.001', '0.002'))
  assert.equal((await serverless(['deploy'])).code, 0)
  assert.equal((await registered('quote')).version, 3)

  service.write('serverless.yml', YML.slice(0, YML.indexOf('  hello:')))
  const smaller = await serverless(['deploy'])
  assert.match(smaller.stdout, /removed: hello/)
  assert.equal((await registered('hello')).version, 2)
})

test('deploy function deploys one and leaves the others alone', async () => {
  const run = await serverless(['deploy', 'function', '-f', 'hello'])
  assert.equal(run.code, 0, run.stdout + run.stderr)
  assert.equal((await registered('hello')).version, 1)
  assert.equal((await registered('quote')).version, 0)
  const unknown = await serverless(['deploy', 'function', '-f', 'nothing'])
  assert.equal(unknown.code, 1)
  assert.match(unknown.stdout + unknown.stderr, /PH_CONFIG_FUNCTION_UNKNOWN[\s\S]*quote, hello/)
})

test('a stage is a project of its own; info shows it; remove retires it', async () => {
  assert.equal((await serverless(['deploy', '--stage', 'prod'])).code, 0)
  assert.equal((await registered('quote', 'shop-prod')).version, 1)
  assert.equal((await registered('quote')).version, 0)

  const info = await serverless(['info', '-s', 'prod'])
  assert.equal(info.code, 0, info.stderr)
  assert.match(info.stdout, /service: shop\nstage: prod\nnetwork: local\n/)
  assert.ok(info.stdout.includes(`GET - ${gateway.url}/run/${owner.address}/shop-prod/quote/{sku}`))
  assert.match((await serverless(['info'])).stdout, /quote: shop-dev-quote \(not deployed\)/)

  const removed = await serverless(['remove', '--stage', 'prod', '--region', 'eu-west-1'])
  assert.match(removed.stdout, /removed: (quote, hello|hello, quote)/)
  assert.equal((await registered('quote', 'shop-prod')).version, 2)
  const nothing = await serverless(['remove', '--stage', 'prod'])
  assert.equal(nothing.code, 0)
  assert.match(nothing.stderr, /Nothing to remove/)
})

test('package needs neither key nor network, and writes what deploy would store', async () => {
  service.write('.peerhost/network.json', 'not a network')
  const run = await serverless(['package'])
  assert.equal(run.code, 0, run.stdout + run.stderr)
  const summary = JSON.parse(readFileSync(path.join(service.dir, '.serverless/peerhost.json'), 'utf8'))
  assert.deepEqual(
    summary.functions.map(({ name }: { name: string }) => name),
    ['quote', 'hello'],
  )
  assert.equal(readFileSync(path.join(service.dir, '.serverless/quote.js')).length, summary.functions[0].size)
  assert.ok(!existsSync(path.join(service.dir, '.serverless/shop.zip')))
  const elsewhere = await serverless(['package', '--package', 'out'])
  assert.equal(elsewhere.code, 0)
  assert.ok(existsSync(path.join(service.dir, 'out/quote.js')))

  // what was packaged is what is deployed, whatever has become of the sources
  useNetwork({})
  service.write('src/quote.ts', 'export const handler = async ( => 1')
  const deployed = await serverless(['deploy', '--package', 'out', '--json'])
  assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr)
  assert.deepEqual(
    JSON.parse(deployed.stdout).functions.map((fn: { bundleCid: string }) => fn.bundleCid),
    summary.functions.map((fn: { bundleCid: string }) => fn.bundleCid),
  )
  const forced = await serverless(['deploy', '--package', 'out', '--force'])
  assert.match(forced.stdout, /version: 2, /)
  service.write('out/quote.js', 'tampered')
  const tampered = await serverless(['deploy', '--package', 'out'])
  assert.match(tampered.stdout + tampered.stderr, /PH_BUNDLE_DIGEST_MISMATCH/)
  const lost = await serverless(['deploy', '--package', 'nowhere'])
  assert.match(lost.stdout + lost.stderr, /PH_FILE_UNREADABLE/)
  assert.equal((await registered('quote')).version, 2)
})

test('a key of the environment goes before the local one, and is shown nowhere', async () => {
  const other = await chain.account()
  const run = await serverless(['deploy', '--verbose'], { PEERHOST_PRIVATE_KEY: other.privateKey.slice(2) })
  assert.equal(run.code, 0, run.stdout + run.stderr)
  assert.ok(run.stdout.includes(`/run/${other.address}/shop/`))
  assert.ok(!(run.stdout + run.stderr).includes(other.privateKey.slice(2)))
  assert.equal((await registered('quote')).version, 0)
})

test('bad input is one sentence, a code and the next step; nothing is registered', async () => {
  await refused('PH_CONFIG_KEY_INVALID', { PEERHOST_PRIVATE_KEY: 'secret' })
  await refused('PH_CHAIN_NO_FUNDS', { PEERHOST_PRIVATE_KEY: `0x${'12'.repeat(32)}` })
  await refused('PH_CHAIN_UNREACHABLE', { PEERHOST_RPC_URL: 'http://127.0.0.1:9' })
  await refused('PH_GATEWAY_UNREACHABLE', { PEERHOST_GATEWAY_URL: 'http://127.0.0.1:9' })
  await refused('PH_STORE_UNREACHABLE', { PEERHOST_IPFS_API: 'http://127.0.0.1:9' })
  await refused('PH_CONFIG_NETWORK_UNKNOWN', { PEERHOST_NETWORK: 'mars' })
  useNetwork({ accounts: undefined })
  await refused('PH_CONFIG_KEY_MISSING')
  useNetwork({})
  gateway.refuseUploads = 507
  await refused('PH_STORE_UNREACHABLE').finally(() => {
    gateway.refuseUploads = undefined
  })

  const variants: [string, string][] = [
    [YML.replace('0.001', '-1'), 'PH_CONFIG_PRICE_INVALID'],
    [YML.replace('0.001', '0.0000001'), 'PH_CONFIG_PRICE_INVALID'],
    [YML.replace('GET hello', 'GET quote/{id}'), 'PH_CONFIG_ROUTE_DUPLICATE'],
    [YML.replace('src/hello.handler', 'src/gone.handler'), 'PH_CONFIG_HANDLER_NOT_FOUND'],
    [YML.replace('src/hello.handler', 'src/hello.other'), 'PH_CONFIG_HANDLER_NOT_FOUND'],
    [YML.replace('service: shop', 'service: metrics'), 'PH_CONFIG_PROJECT_RESERVED'],
    [YML.replace('provider: peerhost', 'provider: aws'), 'PH_CONFIG_PROVIDER_INVALID'],
    [YML.replace('provider: peerhost', 'provider: peerhots'), 'PH_CONFIG_PROVIDER_INVALID'],
    [
      YML.replace('provider: peerhost', 'provider: {name: peerhost, runtime: python3.12}'),
      'PH_CONFIG_RUNTIME_UNSUPPORTED',
    ],
  ]
  for (const [yml, code] of variants) {
    service.write('serverless.yml', yml)
    await refused(code)
  }
  service.write('serverless.yml', YML)
  service.write('src/quote.ts', 'export const handler = async ( => 1')
  assert.match(await refused('PH_BUNDLE_FAILED'), /src\/quote\.ts:1:\d+/)
  service.write('src/quote.ts', 'export const handler = async () => 1')
  gateway.differences.set('hello', 'two runs of GET /hello differ: byte 3')
  assert.match(
    await refused('PH_BUNDLE_NOT_DETERMINISTIC'),
    /"hello" is not deterministic: two runs of GET \/hello differ/,
  )
  gateway.differences.clear()
  service.write('src/quote.ts', 'import "./addon.node"\nexport const handler = 1')
  await refused('PH_BUNDLE_NATIVE_MODULE')
})

test('invoke takes its event from -d, else from standard input, else it is empty', async () => {
  const invoked = async (args: string[], input?: string) => {
    const run = await serverless(['invoke', '-f', 'hello', ...args], {}, input)
    assert.equal(run.code, 0, run.stdout + run.stderr)
    return gateway.calls.at(-1)!.body
  }
  assert.equal(await invoked([], '{"n": 1}\n'), '{"n":1}')
  assert.equal(await invoked(['-d', '{"n":2}'], '{"n":1}'), '{"n":2}')
  assert.equal(await invoked(['--raw'], '{"n":1}'), '"{\\"n\\":1}"')
  assert.equal(await invoked([]), '{}')
  assert.equal(await invoked([], ''), '{}')
})

test('invoke local without a sandbox says so once', async () => {
  const { code, stdout, stderr } = await serverless(['invoke', 'local', '-f', 'hello'])
  assert.equal(code, 1)
  assert.equal((stdout + stderr).match(/The sandbox does not work here/g)?.length, 1, stdout + stderr)
  assert.match(stdout + stderr, /\(PH_SANDBOX_UNAVAILABLE\)/)
})

test('rollback takes the whole service back to a deployment: older versions again, what came later retired', async () => {
  assert.equal((await serverless(['deploy'])).code, 0)
  await chain.provider.send('evm_increaseTime', [60])
  service.write('serverless.yml', `${YML.replace('0.001', '0.002')}  late: { handler: src/hello.handler }\n`)
  assert.equal((await serverless(['deploy'])).code, 0)

  const listed = await serverless(['rollback'])
  assert.equal(listed.code, 0, listed.stdout + listed.stderr)
  const lines = [...listed.stdout.matchAll(/^ {2}(\d+) \(\S+Z\): (.*)$/gm)].map(
    ([, time, what]) => [time, what] as const,
  )
  assert.deepEqual(
    lines.map(([, what]) => what!.split(', ').sort().join()),
    ['hello 1,quote 1', 'late 1,quote 2'],
  )
  assert.ok((await serverless(['deploy', 'list'])).stdout.includes(`deployments:\n  ${lines[0]![0]} (`))

  const back = await serverless(['rollback', '-t', lines[0]![0]!])
  assert.equal(back.code, 0, back.stdout + back.stderr)
  assert.match(back.stdout, /^quote: version 3, as in version 1$/m)
  assert.match(back.stdout, /^late: removed$/m)
  assert.equal((await registered('hello')).version, 1)
  assert.match((await serverless(['info'])).stdout, /price: 0\.001 USDC, version: 3[\s\S]*late: \S+ \(not deployed\)/)
  assert.match((await serverless(['rollback', '-t', lines[0]![0]!])).stderr, /No changes/)
  assert.match(
    (await serverless(['rollback', '-t', '5'])).stdout,
    /no deployment of timestamp "5"[^\n]*\(PH_CONFIG_INVALID\)/,
  )
  const forth = await serverless(['rollback', '-t', lines[1]![0]!])
  assert.match(forth.stdout, /^late: version 3, as in version 1$/m)
  // what serverless.yml says by then is what is served again
  assert.match((await serverless(['deploy'])).stderr, /No changes/)
})

test('metrics are sums of what the gateway’s log has of a time', async () => {
  const record = (cursor: number, time: string, status: number, durationMs: number) =>
    `${JSON.stringify({ cursor, requestId: `0x${'1'.repeat(64)}`, time, status, durationMs, version: 1, start: 'forked', lines: [] })}\n`
  gateway.answer = {
    status: 200,
    headers: { 'peerhost-cursor': '4' },
    body:
      record(1, '2020-01-01T00:00:00Z', 0, 1000) +
      record(2, new Date().toISOString(), 0, 10) +
      record(3, new Date().toISOString(), 1, 20),
  }
  try {
    const day = await serverless(['metrics', '-f', 'hello'])
    assert.equal(day.code, 0, day.stdout + day.stderr)
    assert.match(day.stdout, /hello:\n {2}invocations: 2\n {2}errors: 1\n {2}duration \(avg\.\): 15\.0 ms/)
    const old = await serverless(['metrics', '--startTime', '2019-12-31', '--endTime', '2020-01-02'])
    assert.match(
      old.stdout,
      /^2019-12-31T00:00:00\.000Z - 2020-01-02[\s\S]*quote:\n {2}invocations: 1\n {2}errors: 0[\s\S]*hello:/,
    )
    assert.match(
      (await serverless(['metrics', '--endTime', 'soon'])).stdout,
      /--endTime is "soon".*\(PH_CONFIG_INVALID\)/,
    )
  } finally {
    gateway.answer = { status: 200, body: 'null' }
  }
})

test('a changed limit registers that function anew, with the same code, and no other', async () => {
  assert.equal((await serverless(['deploy'])).code, 0)
  service.write('serverless.yml', YML.replace('price: 0.001', 'price: 0.001\n    timeout: 9'))
  assert.equal((await serverless(['deploy'])).code, 0)
  assert.equal((await registered('quote')).version, 2)
  assert.equal((await registered('hello')).version, 1)
})

test('a gateway that points to a manifest that is not registered is not believed', async () => {
  assert.equal((await serverless(['deploy'])).code, 0)
  service.write('serverless.yml', YML.replace('0.001', '0.002'))
  assert.equal((await serverless(['deploy'])).code, 0)
  // what it says is version 1 now, which has just the price that is wanted again
  service.write('serverless.yml', YML)
  gateway.showVersion = 1
  const run = await serverless(['deploy'], {}).finally(() => {
    gateway.showVersion = undefined
  })
  assert.doesNotMatch(run.stderr, /No changes/)
  assert.equal((await registered('quote')).version, 3)
})
