import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import webpack from 'webpack'

const require = createRequire(import.meta.url)

/** Bundles an entry for a browser, as a user's own webpack would, from this repository's sources. Rejects with its errors. */
export async function bundleForBrowser(entry: string, folder: string): Promise<void> {
  const compiler = webpack({
    mode: 'production',
    target: 'web',
    context: resolve(import.meta.dirname, '../../..'),
    entry,
    output: { path: folder, filename: 'page.js' },
    devtool: false,
    performance: false,
    experiments: { typescript: false },
    resolve: { conditionNames: ['peerhost-source', '...'], extensions: ['.js', '.ts'] },
    module: {
      rules: [
        {
          test: /\.ts$/,
          loader: require.resolve('swc-loader'),
          options: { swcrc: false, configFile: false, jsc: { target: 'es2023', parser: { syntax: 'typescript' } } },
        },
      ],
    },
    optimization: { minimize: false }, // seconds that change nothing here
  })
  if (!compiler) throw new Error('webpack gave no compiler')
  const stats = await promisify(compiler.run.bind(compiler))()
  await promisify(compiler.close.bind(compiler))()
  if (!stats || stats.hasErrors() || stats.hasWarnings())
    throw new Error(stats?.toString({ all: false, errors: true, warnings: true }))
}
