import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const BIN = join(import.meta.dirname, '../bin/peerhost.cjs')
const folder = mkdtempSync(join(tmpdir(), 'peerhost-cli-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the command as a user would, in a folder without a network; never rejects. */
function peerhost(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) =>
    execFile(
      process.execPath,
      [BIN, ...args],
      { cwd: folder, env: { ...process.env, ...env } },
      (error, stdout, stderr) => done({ code: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  )
}

test('call looks whether the receipt can be saved before it asks for anything', async () => {
  let requests = 0
  const server = createServer((_, response) => {
    requests++
    response.end('answer')
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const refused = await peerhost(['call', url, '--save', join(folder, 'missing', 'receipt.json')])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /cannot be written.*\n.*\(PH_CONFIG_INVALID\)/)
    assert.equal(requests, 0)

    const unsigned = await peerhost(['call', url, '--save', join(folder, 'receipt.json')])
    assert.equal(unsigned.code, 1, 'an answer without a receipt is not what was asked for')
    assert.equal(unsigned.stdout, 'answer')
    assert.equal(requests, 1)
  } finally {
    server.close()
  }
})

test('dev says so where its folder is none', async () => {
  const data = join(folder, 'file')
  writeFileSync(data, 'mine')
  const { code, stderr } = await peerhost(['dev', '--port', '0', '--data', data])
  assert.equal(code, 1)
  assert.match(stderr, /--data .* is no folder that can be written.*\n.*\(PH_CONFIG_INVALID\)/)
  assert.equal(readFileSync(data, 'utf8'), 'mine')
})

test('a data folder that cannot be made is an error, also below /proc, where Node’s own mkdir never ends', async () => {
  const key = '11'.repeat(32)
  const place = { PEERHOST_PRIVATE_KEY: key, PEERHOST_NETWORK_FILE: join(folder, 'there.json') }
  const contracts = Object.fromEntries(
    ['ExecutionCoordinator', 'StakeVault', 'PaymentVault'].map((name) => [name, `0x${'22'.repeat(20)}`]),
  )
  const url = 'http://127.0.0.1:9'
  const network = {
    gatewayUrl: url,
    rpcUrl: url,
    chainId: 84532,
    ipfsUrl: url,
    usdc: `0x${'33'.repeat(20)}`,
    contracts,
  }
  writeFileSync(place.PEERHOST_NETWORK_FILE, JSON.stringify({ ...network, pids: {}, accounts: {} }))
  for (const command of [['dev', '--port', '0'], ['worker'], ['gateway']]) {
    const { code, stderr } = await peerhost([...command, '--data', '/proc/peerhost/data'], place)
    assert.equal(code, 1)
    assert.match(stderr, /--data \/proc\/peerhost\/data is no folder that can be written.*\n.*\(PH_CONFIG_INVALID\)/)
  }
})

test('doctor fails where a network is named and is not there', async () => {
  const { code, stdout } = await peerhost(['doctor', '--json'], { PEERHOST_NETWORK_FILE: join(folder, 'network.json') })
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: { name: string; ok: boolean; fix?: string }[] }
  assert.equal(code, 1)
  assert.equal(ok, false)
  const network = checks.find(({ name }) => name === 'network')
  assert.equal(network?.ok, false)
  assert.match(network?.fix ?? '', /peerhost dev/)
})
