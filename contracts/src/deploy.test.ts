import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { JsonRpcProvider } from 'ethers'
import { type LocalChain, startLocalChain } from './local-chain.ts'

const SCRIPT = fileURLToPath(new URL('./deploy.ts', import.meta.url))

/** Runs the deployment script with these variables and no others of ours. */
function run(args: string[], env: Record<string, string>): Promise<{ code: number; stdout: string; stderr: string }> {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PEERHOST_')))
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, ...args], { env: { ...clean, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

describe('the deployment script, against anvil', () => {
  let chain: LocalChain
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerhost-deploy-'))
    chain = await startLocalChain()
  })
  after(async () => {
    await chain.stop()
    await rm(folder, { recursive: true })
  })

  test('writes addresses at which there is code', async () => {
    const out = join(folder, 'deployments', 'local.json')
    const { code, stdout } = await run(['--out', out], { PEERHOST_RPC_URL: chain.rpcUrl })
    assert.equal(code, 0)
    const file = JSON.parse(await readFile(out, 'utf8'))
    assert.equal(file.network, 'local')
    assert.equal(file.chainId, 84532)
    assert.equal(file.deploymentBlock, 1)
    assert.equal(file.parameters.unit, '100000000')
    const provider = new JsonRpcProvider(chain.rpcUrl, 84532, { staticNetwork: true })
    for (const [contract, address] of Object.entries(file.contracts as Record<string, string>)) {
      assert.notEqual(await provider.getCode(address), '0x', contract)
      assert.ok(stdout.includes(`${contract} ${address}`))
    }
    provider.destroy()
  })

  test('refuses another chain than the network’s', async () => {
    const { code, stderr } = await run(['--network', 'amoy'], { PEERHOST_RPC_URL: chain.rpcUrl })
    assert.equal(code, 1)
    assert.match(stderr, /is of chain 84532, not 80002/)
  })

  test('says in one sentence what is missing or wrong, and never prints a key', async () => {
    const amoy = ['--network', 'amoy']
    assert.match((await run(amoy, {})).stderr, /PEERHOST_RPC_URL is not set/)
    assert.match((await run(['--network', 'mars'], {})).stderr, /There is no network "mars"/)
    const nobody = { PEERHOST_RPC_URL: 'http://127.0.0.1:1' }
    assert.match((await run([], nobody)).stderr, /cannot be reached/)
    const bad = 'not-a-key-but-secret'
    const result = await run([], { PEERHOST_RPC_URL: chain.rpcUrl, PEERHOST_PRIVATE_KEY: bad })
    assert.equal(result.code, 1)
    assert.match(result.stderr, /The private key is not valid/)
    assert.ok(!`${result.stdout}${result.stderr}`.includes(bad))
  })
})
