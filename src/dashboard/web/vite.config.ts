import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Packages whose code is part of the output. */
const BUNDLED = ['preact', 'uplot'];

/** Writes the list of files for the crate, so that no Rust source names a hash, and the licences of what is bundled. */
function filesOfCrate(): Plugin {
  return {
    name: 'files-of-crate',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const names = Object.keys(bundle).sort();
        const entries = names.map((name) => {
          const type = TYPES[extname(name)];
          if (type === undefined) this.error(`no content type is known for ${name}`);
          return `    ("${name}", "${type}", include_bytes!("${name}")),\n`;
        });
        const source = `// Written by the build in src/dashboard/web.\n&[\n${entries.join('')}]\n`;
        this.emitFile({ type: 'asset', fileName: 'files.in', source });
        const licences = BUNDLED.map((name) => {
          const text = readFileSync(new URL(`node_modules/${name}/LICENSE`, import.meta.url), 'utf8');
          return `${name}\n\n${text.trim()}\n`;
        });
        this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: licences.join('\n----\n\n') });
      },
    },
  };
}

export default defineConfig({
  // Relative addresses: the page works below any path.
  base: './',
  plugins: [filesOfCrate()],
  build: {
    outDir: '../assets',
    emptyOutDir: true,
    assetsDir: '',
    assetsInlineLimit: 0,
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    target: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'app-[hash].js',
        chunkFileNames: 'app-[hash].js',
        assetFileNames: '[name]-[hash][extname]',
      },
    },
  },
  experimental: {
    // The page is served at the mount, and everything else one level below it.
    renderBuiltUrl: (file, { hostType }) => (hostType === 'html' ? `./assets/${file}` : { relative: true }),
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    // On a machine that is busy, drawing 10,000 spans takes a while.
    testTimeout: 30_000,
  },
} as Parameters<typeof defineConfig>[0]);
