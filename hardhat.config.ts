import { createRequire } from 'node:module'
import { configVariable, defineConfig } from 'hardhat/config'

const require = createRequire(import.meta.url)

/** The compiler is the npm package `solc` (wasm): one reproducible compiler for all, and no download. */
const compiler = {
  version: '0.8.37',
  path: require.resolve('solc/soljson.js'),
  settings: {
    optimizer: { enabled: true, runs: 10_000 },
    evmVersion: 'prague',
    viaIR: false,
    metadata: { bytecodeHash: 'none' as const },
  },
}

/** A public network: its URL and key are read from the environment when it is used, not before. */
function publicNetwork(chainId: number) {
  return {
    type: 'http' as const,
    chainType: 'generic' as const,
    chainId,
    url: configVariable('PEERHOST_RPC_URL'),
    accounts: [configVariable('PEERHOST_PRIVATE_KEY')],
  }
}

export default defineConfig({
  solidity: { compilers: [compiler] },
  paths: {
    sources: 'contracts/src',
    tests: { solidity: 'contracts/test' },
    cache: 'contracts/cache/hardhat',
    artifacts: 'contracts/cache/artifacts',
  },
  networks: {
    // The chain inside the test process: the rules of Polygon's present hard fork, the local network's id.
    default: {
      type: 'edr-simulated',
      chainType: 'generic',
      chainId: 84532,
      hardfork: 'prague',
      initialDate: '2030-01-01T00:00:00Z',
    },
    local: {
      type: 'http',
      chainType: 'generic',
      chainId: 84532,
      url: process.env.PEERHOST_RPC_URL ?? 'http://127.0.0.1:8545',
    },
    amoy: publicNetwork(80_002),
    polygon: publicNetwork(137),
  },
  test: { solidity: { fuzz: { runs: 256 }, invariant: { runs: 40, depth: 120, failOnRevert: true } } },
})
