import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { needsSandbox } from './needs-sandbox.ts'

// Loaded into every test process by scripts/test where there is no sandbox and PEERHOST_ALLOW_NO_SANDBOX says that this
// may be: the tests of a file that needs one are skipped, one by one, so that node:test counts them.

const ROOT = resolve(import.meta.dirname, '../..')
const SKIPPING = new URL('./skipping-test.ts', import.meta.url).href
const file = process.argv[1]

if (file?.endsWith('.test.ts') && needsSandbox(ROOT, resolve(file))) {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'node:test' && context.parentURL !== SKIPPING
        ? { url: SKIPPING, format: 'module-typescript', shortCircuit: true }
        : next(specifier, context),
  })
}
