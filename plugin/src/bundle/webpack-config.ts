import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Configuration } from 'webpack'

const require = createRequire(import.meta.url)

/** Where the jail keeps a bundle; what `import.meta` says in it. */
const BUNDLE_PATH = '/var/task/handler.js'
export const BUNDLE_FILE = 'handler.js'

const SOURCE_ENDINGS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json']
const PACKAGE_ENDINGS = ['.js', '.json', '.mjs', '.cjs', '.jsx', '.ts', '.tsx', '.mts', '.cts']

/** TypeScript and JSX, each file on its own: types are stripped, not checked. */
function swcRule(test: RegExp, syntax: 'typescript' | 'ecmascript', module: 'es6' | 'commonjs') {
  const parser = syntax === 'typescript' ? { syntax, tsx: test.test('.tsx'), decorators: true } : { syntax, jsx: true }
  return {
    test,
    use: {
      loader: require.resolve('swc-loader'),
      options: {
        swcrc: false,
        configFile: false,
        module: { type: module },
        jsc: {
          target: 'es2023',
          parser,
          transform: { legacyDecorator: true, decoratorMetadata: true, react: { runtime: 'automatic' } },
          keepClassNames: true,
        },
      },
    },
  }
}

/**
 * The recipe for bytes that depend on the sources alone: not on the folder, the place of node_modules, the neighbours or the
 * machine. Module ids are `natural`, the order of the graph, because the other kinds hash paths; so a hoisted dependency gives
 * the same bundle. One entry, one chunk, one file, nothing external but Node's own modules.
 */
export function webpackConfig(serviceDir: string, entry: string, webpack: typeof import('webpack')): Configuration {
  return {
    mode: 'production',
    target: 'node24',
    context: serviceDir,
    entry: { handler: entry },
    devtool: false,
    cache: false,
    performance: false,
    stats: 'none',
    infrastructureLogging: { level: 'none' },
    experiments: { typescript: false },
    output: {
      filename: BUNDLE_FILE,
      library: { type: 'commonjs2' },
      hashFunction: 'sha256',
      pathinfo: false,
      uniqueName: 'peerhost',
    },
    optimization: {
      moduleIds: 'natural',
      chunkIds: 'natural',
      minimize: false,
      splitChunks: false,
      runtimeChunk: false,
    },
    node: { __dirname: false, __filename: false, global: false },
    externals: [/\.node$/],
    externalsType: 'commonjs',
    resolve: {
      extensions: PACKAGE_ENDINGS,
      ...(existsSync(path.join(serviceDir, 'tsconfig.json'))
        ? { tsconfig: path.join(serviceDir, 'tsconfig.json') }
        : {}),
    },
    module: {
      parser: { javascript: { dynamicImportMode: 'eager', url: false, worker: false } },
      rules: [
        { exclude: /[\\/]node_modules[\\/]/, resolve: { extensions: SOURCE_ENDINGS } },
        {
          test: /\.[cm]?tsx?$/,
          resolve: {
            extensionAlias: {
              '.js': ['.ts', '.tsx', '.js'],
              '.jsx': ['.tsx', '.jsx'],
              '.mjs': ['.mts', '.mjs'],
              '.cjs': ['.cts', '.cjs'],
            },
          },
        },
        swcRule(/\.m?ts$/, 'typescript', 'es6'),
        swcRule(/\.tsx$/, 'typescript', 'es6'),
        swcRule(/\.cts$/, 'typescript', 'commonjs'),
        swcRule(/\.jsx$/, 'ecmascript', 'es6'),
      ],
    },
    plugins: [
      new webpack.DefinePlugin({
        'import.meta.url': JSON.stringify(`file://${BUNDLE_PATH}`),
        'import.meta.filename': JSON.stringify(BUNDLE_PATH),
        'import.meta.dirname': JSON.stringify(path.posix.dirname(BUNDLE_PATH)),
      }),
      new webpack.optimize.LimitChunkCountPlugin({ maxChunks: 1 }),
    ],
  }
}
