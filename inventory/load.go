package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"
)

// Options are what a run adds to the files.
type Options struct {
	Vars     map[string]string           // --var NAME=VALUE
	VarFiles []string                    // --var-file PATH; of two that give the same variable the later one counts
	Env      func(string) (string, bool) // looks up an environment variable; nil: none is set
}

// Sources holds the files that diagnostics point into, for
// hcl.NewDiagnosticTextWriter.
type Sources map[string]*hcl.File

// Load reads an inventory: one file, or the *.hcl files of a folder together.
//
// The diagnostics are in the order of the files and complete: one mistake
// hides no other, except that a syntax error hides what stands behind it. The
// Inventory is nil only when nothing could be read; beside errors it holds
// what is sound, so that further checks can add what they know. What could not
// be evaluated is the zero value there, or cty.DynamicVal in an Input.
func Load(path string, opts Options) (*Inventory, Sources, hcl.Diagnostics) {
	names, dir, diags := findFiles(path, opts.VarFiles)
	if diags.HasErrors() {
		return nil, Sources{}, diags
	}
	files := make([]source, 0, len(names))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			diags = diags.Append(unreadable(err))
			continue
		}
		files = append(files, source{name: name, text: text})
	}
	if diags.HasErrors() {
		return nil, Sources{}, diags
	}
	return load(dir, files, opts)
}

// source is the text of one file of the inventory.
type source struct {
	name string
	text []byte
}

// findFiles returns the inventory's files, in order, and the folder that
// relative paths in them start from. A file of variables in the folder is no
// part of the inventory.
func findFiles(path string, varFiles []string) (names []string, dir string, diags hcl.Diagnostics) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", hcl.Diagnostics{unreadable(err)}
	}
	if !info.IsDir() {
		return []string{path}, filepath.Dir(path), nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, "", hcl.Diagnostics{unreadable(err)}
	}
	for _, entry := range entries { // sorted by os.ReadDir
		name := filepath.Join(path, entry.Name())
		if filepath.Ext(name) == ".hcl" && !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && !slices.ContainsFunc(varFiles, same(name)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, "", hcl.Diagnostics{diagnose(hcl.DiagError, place{}, "No inventory in this folder",
			fmt.Sprintf("%s holds no file that ends in .hcl. `rmqprov init %s` writes one to start from.", path, path))}
	}
	return names, path, nil
}

func same(name string) func(string) bool {
	return func(other string) bool { return filepath.Clean(other) == filepath.Clean(name) }
}

func unreadable(err error) *hcl.Diagnostic {
	hint := "Check the path and its permissions."
	if os.IsNotExist(err) {
		hint = "Give the path of an inventory file, or of a folder of *.hcl files; `rmqprov init` writes one to start from."
	}
	return diagnose(hcl.DiagError, place{}, "Cannot read the inventory", fmt.Sprintf("%v. %s", err, hint))
}

// loader holds what Load has found so far.
type loader struct {
	inv       *Inventory
	sources   Sources
	diags     hcl.Diagnostics
	env       func(string) (string, bool)
	opts      Options
	read      reader
	functions map[string]function.Function
	blocks    map[string][]*block // by type, in the order of the files
	nodes     map[string][]*node  // what expressions can name, by root, in the order of the files
	active    []*node             // being evaluated, outermost first
	unused    []func()            // read blocks whose name is taken, for the mistakes in them
	start     hcl.Range           // of the first file, for what is missing altogether

	dependencies map[string][]dependency // of stacks, by name
}

// load is Load after the files are read.
func load(dir string, files []source, opts Options) (*Inventory, Sources, hcl.Diagnostics) {
	env := opts.Env
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	ld := &loader{
		inv:          &Inventory{Dir: dir},
		sources:      Sources{},
		env:          env,
		opts:         opts,
		read:         readIn(dir, env),
		blocks:       map[string][]*block{},
		nodes:        map[string][]*node{},
		dependencies: map[string][]dependency{},
	}
	ld.functions = functions(ld.read, env)
	bodies := ld.parse(files)
	if ld.diags.HasErrors() {
		return nil, ld.sources, arrange(ld.diags)
	}
	for _, body := range bodies {
		ld.collect(body)
	}
	ld.decode()
	ld.check()
	for _, body := range bodies {
		ld.checkQuoted(body)
	}
	return ld.inv, ld.sources, arrange(ld.diags)
}

// parse turns the files into bodies. After a syntax error nothing else is
// said: what the broken part defines would be missing everywhere.
func (ld *loader) parse(files []source) []*hclsyntax.Body {
	var bodies []*hclsyntax.Body
	for _, f := range files {
		file, diags := Parse(f.text, f.name)
		ld.sources[f.name] = file
		ld.diags = ld.diags.Extend(diags)
		bodies = append(bodies, file.Body.(*hclsyntax.Body))
		if ld.start.Filename == "" {
			ld.start = hcl.Range{Filename: f.name, Start: hcl.InitialPos, End: hcl.InitialPos}
		}
	}
	return bodies
}

// decode reads all blocks. Names come first, since any expression may use any
// of them; what an expression needs is evaluated when it is asked for.
func (ld *loader) decode() {
	ld.declareVariables()
	ld.declareLocals()
	ld.declareCluster()
	ld.declareHosts()
	ld.declareNetworks()
	ld.declareImages()
	ld.declareStacks()
	ld.inv.Scope = ld.scope()
	for _, read := range ld.unused {
		read()
	}
	ld.validateVariables()
	ld.decodeSSH()
	ld.decodeDiscover()
	ld.decodeSecurityGroup()
	ld.decodeDocker()
	ld.decodeSwarm()
	ld.decodeStacks()
	ld.decodeFiles()
}

// check says what is wrong between blocks that are right by themselves.
func (ld *loader) check() {
	ld.checkHosts()
	ld.checkManagers()
	ld.checkOverlaps()
	ld.checkEncryption()
	ld.checkDependencies()
	ld.checkFiles()
}
