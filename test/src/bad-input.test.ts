import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { executionCoordinatorAbi } from '@peerhost/protocol'
import { Contract, JsonRpcProvider } from 'ethers'
import { type DevNetwork, startDevNetwork } from './support/dev-network.ts'
import { createService, runServerless, type ServerlessRun, type Service } from './support/serverless.ts'

/** A port of 127.0.0.1 where nothing listens: discard, which no ordinary process may bind. */
const NOWHERE = 'http://127.0.0.1:9'

const GOOD_FUNCTIONS = `
  hello:
    handler: handler.hello
    verification: none
    events: [httpApi: 'GET /hello']`

interface BadInput {
  what: string
  code: string
  /** Of the sentence. */
  says: RegExp
  /** The next step. */
  hint: RegExp
  service?: string
  provider?: string
  functions?: string
  files?: Record<string, string>
  env?: () => NodeJS.ProcessEnv
  args?: string[]
}

/** A function that follows a good one in serverless.yml, so that half a registration would show. */
const second = (lines: string) => `${GOOD_FUNCTIONS}
  bad:
    ${lines.trim().replaceAll('\n', '\n    ')}`

const cases: BadInput[] = [
  {
    what: 'a service of another provider',
    provider: 'aws',
    code: 'PH_CONFIG_PROVIDER_INVALID',
    says: /The provider is "aws"/,
    hint: /provider: peerhost/,
  },
  {
    what: 'a function that is not in the service',
    args: ['deploy', 'function', '-f', 'goodbye'],
    code: 'PH_CONFIG_FUNCTION_UNKNOWN',
    says: /no function "goodbye"/,
    hint: /Functions: hello/,
  },
  {
    what: 'a handler whose file is not there',
    functions: second('handler: elsewhere.hello'),
    code: 'PH_CONFIG_HANDLER_NOT_FOUND',
    says: /"bad".*"elsewhere\.hello"/,
    hint: /path of the file/,
  },
  {
    what: 'a handler that its file does not export',
    functions: second('handler: handler.goodbye'),
    code: 'PH_CONFIG_HANDLER_NOT_FOUND',
    says: /"bad".*"handler\.goodbye"/,
    hint: /name of the export/,
  },
  {
    what: 'a source that does not compile',
    functions: second('handler: broken.hello'),
    files: { 'broken.js': 'exports.hello = async () => {\n  return {{\n}\n' },
    code: 'PH_BUNDLE_FAILED',
    says: /"bad".*broken\.js/,
    hint: /Correct the error in the named file/,
  },
  {
    what: 'a dependency that is not installed',
    functions: second('handler: lonely.hello'),
    files: { 'lonely.js': "const x = require('peerhost-has-no-such-package')\nexports.hello = async () => x\n" },
    code: 'PH_BUNDLE_FAILED',
    says: /peerhost-has-no-such-package/,
    hint: /dependency missing/,
  },
  {
    what: 'a native module',
    functions: second('handler: native.hello'),
    files: {
      'native.js': "const addon = require('./addon.node')\nexports.hello = async () => addon\n",
      'addon.node': '\x7fELF',
    },
    code: 'PH_BUNDLE_NATIVE_MODULE',
    says: /"bad" needs the native module/,
    hint: /JavaScript or WebAssembly/,
  },
  {
    what: 'a bundle over the limit',
    functions: second('handler: large.hello'),
    // random, so that nothing makes it small
    files: { 'large.json': JSON.stringify(randomBytes(8 * 1024 * 1024).toString('base64')) },
    code: 'PH_BUNDLE_TOO_LARGE',
    says: /"bad" has \d+ bytes, more than \d+/,
    hint: /Leave out/,
  },
  {
    what: 'a price below nothing',
    functions: second('handler: handler.hello\nprice: -0.001'),
    code: 'PH_CONFIG_PRICE_INVALID',
    says: /"bad".*-0\.001/,
    hint: /0 or more/,
  },
  {
    what: 'a price with more decimals than USDC has',
    functions: second('handler: handler.hello\nprice: 0.0000001'),
    code: 'PH_CONFIG_PRICE_INVALID',
    says: /"bad".*(?:1e-7|0\.0000001)/,
    hint: /six decimals/,
  },
  {
    what: 'two functions on one route',
    functions: second("handler: handler.hello\nevents: [httpApi: 'GET /hello']"),
    code: 'PH_CONFIG_ROUTE_DUPLICATE',
    says: /GET \/hello: "hello" and "bad"/,
    hint: /another path or method/,
  },
  {
    what: 'a project by the name of a gateway’s own route',
    service: 'services',
    code: 'PH_CONFIG_PROJECT_RESERVED',
    says: /"services" is reserved/,
    hint: /another `service` name/,
  },
  {
    what: 'a key without funds',
    env: () => ({ PEERHOST_PRIVATE_KEY: `0x${randomBytes(32).toString('hex')}` }),
    code: 'PH_CHAIN_NO_FUNDS',
    says: /0x[0-9a-f]{40} has no funds/i,
    hint: /coin for gas/,
  },
  {
    what: 'a chain that cannot be reached',
    env: () => ({ PEERHOST_RPC_URL: NOWHERE }),
    code: 'PH_CHAIN_UNREACHABLE',
    says: /chain at .*127\.0\.0\.1:9/,
    hint: /PEERHOST_RPC_URL/,
  },
  {
    what: 'a store that cannot be reached',
    env: () => ({ PEERHOST_IPFS_API: NOWHERE }),
    code: 'PH_STORE_UNREACHABLE',
    says: /store .* cannot be reached/,
    hint: /Check its address/,
  },
  {
    what: 'a gateway that cannot be reached',
    env: () => ({ PEERHOST_GATEWAY_URL: NOWHERE }),
    code: 'PH_GATEWAY_UNREACHABLE',
    says: /gateway at .*127\.0\.0\.1:9/,
    hint: /PEERHOST_GATEWAY_URL/,
  },
]

let dev: DevNetwork
let provider: JsonRpcProvider
/** Transactions that the network's set-up sent from the developer's account. */
let sentAtFirst: number
const services: Service[] = []

before(async () => {
  dev = await startDevNetwork({ args: ['--workers', '1'] })
  provider = new JsonRpcProvider(dev.network.rpcUrl, dev.network.chainId, { staticNetwork: true, cacheTimeout: -1 })
  sentAtFirst = await provider.getTransactionCount(dev.network.accounts.developer.address)
})
after(async () => {
  provider?.destroy()
  await dev?.stop()
  for (const service of services) service.remove()
})

function serviceWith(parts: Partial<BadInput> & { plugins?: string }): Service {
  const { service = 'bad-input', provider = 'peerhost', functions = GOOD_FUNCTIONS, files = {} } = parts
  const created = createService({
    'package.json': JSON.stringify({ name: 'bad-input', private: true }),
    'serverless.yml': `
service: ${service}
frameworkVersion: '3'
provider: ${provider}
plugins: ${parts.plugins ?? '[serverless-peerhost]'}
functions:${functions}
`,
    'handler.js': "exports.hello = async () => ({ statusCode: 200, body: 'hello' })\n",
    'large.js': "const large = require('./large.json')\nexports.hello = async () => large\n",
    ...files,
  })
  services.push(created)
  return created
}

/** Neither the chain, nor the gateway, nor the developer's account shows any trace of a deploy. */
async function assertNothingRegistered(): Promise<void> {
  const { network } = dev
  const coordinator = new Contract(network.contracts.ExecutionCoordinator!, executionCoordinatorAbi, provider)
  assert.deepEqual(await coordinator.queryFilter('FunctionDeployed', 0), [], 'no function on the chain')
  const sent = await provider.getTransactionCount(network.accounts.developer.address)
  assert.equal(sent, sentAtFirst, 'no transaction was sent')
  const { services: served } = (await (await fetch(`${network.gatewayUrl}/services`)).json()) as { services: unknown[] }
  assert.deepEqual(served, [], 'no function at the gateway')
}

/** One sentence that ends in a code, the hint below it, exit 1; neither a stack nor a second error. */
function assertRefused({ code: exit, stdout, stderr }: ServerlessRun, { code, says, hint }: BadInput): void {
  const output = `${stdout}${stderr}`
  assert.equal(exit, 1, output)
  const lines = output.split('\n').map((line) => line.trim())
  const at = lines.findIndex((line) => line.endsWith(`(${code})`))
  assert.ok(at >= 0, `${code} ends a line of:\n${output}`)
  assert.match(lines[at]!, says)
  assert.match(lines[at + 1] ?? '', hint, output)
  assert.equal(output.match(/\(PH_[A-Z_]+\)/g)?.length, 1, output)
  assert.doesNotMatch(output, /^\s+at .*:\d+/m, 'no stack trace')
  assert.doesNotMatch(output, /Service deployed/)
}

for (const bad of cases) {
  test(`${bad.what} is refused with ${bad.code}, and nothing is registered`, async () => {
    const env = bad.env?.() ?? {}
    const run = await runServerless(bad.args ?? ['deploy'], serviceWith(bad), dev.networkFile, env)
    assertRefused(run, bad)
    const key = env.PEERHOST_PRIVATE_KEY
    if (key) assert.doesNotMatch(`${run.stdout}${run.stderr}`, new RegExp(key.slice(2)), 'the key is not shown')
    await assertNothingRegistered()
  })
}

test('without the plugin the framework knows no deploy, in one sentence of its own', async () => {
  const { code, stdout, stderr } = await runServerless(['deploy'], serviceWith({ plugins: '[]' }), dev.networkFile)
  assert.equal(code, 1, stdout + stderr)
  // What "Trouble" in docs/getting-started.md quotes; without the plugin nothing of PeerHost runs that could say more.
  assert.match(stdout + stderr, /command "deploy" not found/)
  assert.doesNotMatch(stdout + stderr, /^\s+at .*:\d+/m, 'no stack trace')
  await assertNothingRegistered()
})

test('the same service without the fault is deployed: nothing of the refused ones stands in its way', async () => {
  const service = serviceWith({
    functions: second("handler: handler.hello\nverification: none\nevents: [httpApi: 'GET /bad']"),
  })
  const { code, stdout, stderr } = await runServerless(['deploy'], service, dev.networkFile)
  assert.equal(code, 0, stdout + stderr)
  const answer = await fetch(`${dev.network.gatewayUrl}/run/${dev.network.accounts.developer.address}/bad-input/bad`)
  assert.equal(answer.status, 200)
})
