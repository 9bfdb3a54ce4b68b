/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the resource: what each detector finds in machines made of files and in this one, and
 * who wins. */
#include "session/resource.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "peer.h"
#include "test.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static struct resource_input input = {
    .root = "", .attributes = "", .service_name = "", .pid = 1234};

/* A file of a machine below the root of the test. */
static void put_file(const char *path, const char *text)
{
    char full[600];
    input.root = test_tmpdir();
    snprintf(full, sizeof full, "%s%s", input.root, path);
    for (char *p = full + strlen(input.root) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        REQUIRE(mkdir(full, 0755) == 0 || errno == EEXIST);
        *p = '/';
    }
    FILE *f = fopen(full, "w");
    REQUIRE(f);
    fputs(text, f);
    fclose(f);
}

TEST(a_process_is_told_without_its_command_line)
{
    struct resource r = {.schema_url = ""};
    char link[600];
    put_file("/proc/1234/status", "Name:\tshop\nPPid:\t77\nUid:\t1000\t1000\t1000\t1000\n");
    put_file("/proc/1234/cmdline", "shop\0--password\0canary\0");
    put_file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nannoy:x:10:10000::/:/bin/sh\n"
                            "ann:x:1000:1000::/var/ann:/bin/sh\n");
    snprintf(link, sizeof link, "%s/proc/1234/exe", input.root);
    REQUIRE(symlink("/opt/shop/bin/shop", link) == 0);
    resource_find_process(&r, &input);
    CHECK_STR(resource_get(&r, "process.pid"), "1234");
    CHECK_STR(resource_get(&r, "process.parent_pid"), "77");
    CHECK_STR(resource_get(&r, "process.executable.name"), "shop");
    CHECK_STR(resource_get(&r, "process.executable.path"), "/opt/shop/bin/shop");
    CHECK_STR(resource_get(&r, "process.owner"), "ann");
    CHECK_EQ(r.attrs.count, 5);
    resource_done(&r);
}

TEST(host_and_system_come_from_their_files)
{
    struct resource r = {.schema_url = ""};
    put_file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    put_file("/proc/sys/kernel/hostname", "web-1\n");
    put_file("/usr/lib/os-release",
             "NAME=\"Some Linux\"\nVERSION_ID=12\nPRETTY_NAME=\"Some Linux 12 (x)\"\n");
    resource_find_host(&r, &input);
    resource_find_os(&r, &input);
    CHECK_STR(resource_get(&r, "host.id"), "0123456789abcdef0123456789abcdef");
    CHECK_STR(resource_get(&r, "host.name"), "web-1");
    CHECK(resource_get(&r, "host.arch")[0] != 0);
    CHECK_STR(resource_get(&r, "os.type"), "linux");
    CHECK_STR(resource_get(&r, "os.name"), "Some Linux");
    CHECK_STR(resource_get(&r, "os.version"), "12");
    CHECK_STR(resource_get(&r, "os.description"), "Some Linux 12 (x)");
    resource_done(&r);
}

TEST(detectors_that_find_nothing_say_nothing)
{
    struct resource r = {.schema_url = ""};
    input.root = test_tmpdir();
    resource_find_container(&r, &input);
    resource_find_k8s(&r, &input);
    CHECK_EQ(r.attrs.count, 0);
    resource_done(&r);
}

TEST(a_container_is_known_by_its_cgroup_or_its_mounts)
{
    static const struct {
        const char *cgroup, *mounts, *id;
    } cases[] = {
        {"4:memory:/docker/" ID "\n1:cpu:/\n", "", ID},
        {"0::/system.slice/docker-" ID ".scope\n", "", ID},
        {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podab.slice/"
         "cri-containerd-" ID ".scope\n",
         "", ID},
        {"11:x:/kubepods/besteffort/pod7d1b-4c/" ID "\n", "", ID},
        {"0::/machine.slice/libpod-" ID ".scope/container\n", "", ID},
        {"0::/crio-" ID ".scope\n", "", ID},
        {"0::/docker/" OTHER "/docker/" ID "\n", "", ID}, /* one in the other: the inner one */
        {"1:x:/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-123456\n", "",
         "0123456789abcdef0123456789abcdef-123456"},
        {"0::/user.slice/user-1000.slice/session-3.scope\n", "", ""},
        {"0::/docker/0123456789abcdef\n", "", ""},
        {"0::/docker/" ID "0\n", "", ""},
        {"0::/docker/G123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n", "", ""},
        {"", "", ""},
        {"nonsense\n::\n:\n", "", ""},
        {"0::/\n",
         "1 2 8:1 /var/lib/docker/containers/" ID "/resolv.conf /etc/resolv.conf rw - ext4 x rw\n"
         "1 2 8:1 /var/lib/docker/containers/" ID "/hostname /etc/hostname rw - ext4 x rw\n",
         ID},
        {"0::/\n",
         "1 2 0:1 /containers/overlay-containers/" ID
         "/userdata/hostname /etc/hostname rw - t t r\n",
         ID},
        {"0::/\n",
         "1 2 0:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" ID
         "/hostname /etc/hostname rw - t t r\n",
         ""}, /* a pod's sandbox is no container */
        {"0::/\n", "1 2 0:1 /srv/containers/" ID "/x /data rw - t t r\n", ""},
        {"4:m:/docker/" ID "\n",
         "1 2 8:1 /containers/" OTHER "/hostname /etc/hostname rw - e x r\n", ID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct resource r = {.schema_url = ""};
        put_file("/proc/1234/cgroup", cases[i].cgroup);
        put_file("/proc/1234/mountinfo", cases[i].mounts);
        resource_find_container(&r, &input);
        if (strcmp(resource_get(&r, "container.id"), cases[i].id) != 0)
            test_fail(__FILE__, __LINE__, "case %zu: \"%s\"", i, resource_get(&r, "container.id"));
        resource_done(&r);
    }
}

/* A child in a cgroup of ours, until it may go. */
static pid_t child_in(const char *procs, int *out_go)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        char c;
        close(ends[1]);
        _exit(read(ends[0], &c, 1) < 0);
    }
    close(ends[0]);
    *out_go = ends[1];
    FILE *f = fopen(procs, "w");
    REQUIRE(f);
    fprintf(f, "%d\n", (int)pid);
    CHECK_EQ(fclose(f), 0);
    return pid;
}

TEST(a_container_of_this_kernel_is_known_by_its_cgroup)
{
    static const char *const roots[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
    struct resource r = {.schema_url = ""};
    char parent[200], group[400], procs[500];
    int made = -1, go;
    for (int i = 0; i < 2 && made != 0; i++) {
        snprintf(parent, sizeof parent, "%s/oriel-test-%d", roots[i], (int)getpid());
        made = mkdir(parent, 0755);
    }
    if (made != 0)
        test_skip("no cgroup can be made here");
    snprintf(group, sizeof group, "%s/docker-%s.scope", parent, ID);
    snprintf(procs, sizeof procs, "%s/cgroup.procs", group);
    CHECK_EQ(mkdir(group, 0755), 0);
    if (access(procs, W_OK) != 0) {
        (void)rmdir(group);
        (void)rmdir(parent);
        test_skip("what can be made here is no cgroup");
    }
    pid_t pid = child_in(procs, &go);
    input.pid = (int32_t)pid;
    resource_find_container(&r, &input);
    CHECK_STR(resource_get(&r, "container.id"), ID);
    close(go);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    while (rmdir(group) != 0 && errno == EBUSY)
        ; /* until the kernel has let the child go */
    CHECK_EQ(rmdir(parent), 0);
    resource_done(&r);
}

TEST(a_container_of_this_kernel_is_known_by_its_mounts)
{
    struct resource r = {.schema_url = ""};
    char file[600];
    put_file("/containers/" ID "/hostname", "x\n");
    snprintf(file, sizeof file, "%s/containers/%s/hostname", input.root, ID);
    if (access("/etc/hostname", F_OK) != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(file, "/etc/hostname", NULL, MS_BIND, NULL) != 0)
        test_skip("no namespace of mounts can be had here");
    input.root = "";
    input.pid = (int32_t)getpid();
    resource_find_container(&r, &input);
    CHECK_STR(resource_get(&r, "container.id"), ID);
    CHECK_EQ(umount("/etc/hostname"), 0);
    resource_done(&r);
}

TEST(a_pod_is_told_by_the_downward_api_and_its_account)
{
    static const char *const pod[] = {"KUBERNETES_SERVICE_HOST=10.0.0.1",
                                      "POD_NAME=p",
                                      "POD_UID=",
                                      "NODE_NAME=n",
                                      "K8S_CLUSTER_NAME=c",
                                      NULL};
    static const char *const none[] = {"POD_NAME=p", "K8S_POD_UID=u", NULL};
    struct resource r = {.schema_url = ""}, other = {.schema_url = ""};
    input.root = test_tmpdir();
    input.environment = none; /* POD_NAME alone may be anything */
    resource_find_k8s(&other, &input);
    CHECK(other.attrs.count == 1);
    CHECK_STR(resource_get(&other, "k8s.pod.uid"), "u");
    put_file("/var/run/secrets/kubernetes.io/serviceaccount/namespace", "shop-space");
    input.environment = pod;
    resource_find_k8s(&r, &input);
    CHECK_STR(resource_get(&r, "k8s.namespace.name"), "shop-space");
    CHECK_STR(resource_get(&r, "k8s.pod.name"), "p");
    CHECK_STR(resource_get(&r, "k8s.node.name"), "n");
    CHECK_STR(resource_get(&r, "k8s.cluster.name"), "c");
    CHECK_EQ(r.attrs.count, 4);
    resource_done(&r);
    resource_done(&other);
}

TEST(the_service_is_named_by_whoever_says_it_most_directly)
{
    char link[600];
    put_file("/proc/1234/status", "");
    snprintf(link, sizeof link, "%s/proc/1234/exe", input.root);
    REQUIRE(symlink("/bin/shop", link) == 0);
    static const struct {
        const char *attributes, *service, *name;
    } cases[] = {{"", "", "unknown_service:shop"},
                 {"service.name=a", "", "a"},
                 {"service.name=a", "b", "b"},
                 {"service.name=", "", "unknown_service:shop"},
                 {"service.name=a%20b,x=1", "", "a b"},
                 {"service.name=a,broken", "", "unknown_service:shop"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct resource r = {.schema_url = ""};
        input.attributes = cases[i].attributes;
        input.service_name = cases[i].service;
        resource_find(&r, &input);
        CHECK_STR(resource_get(&r, "service.name"), cases[i].name);
        resource_done(&r);
    }
}

TEST(what_is_said_wins_over_what_is_found)
{
    struct resource r = {.schema_url = ""};
    put_file("/etc/machine-id", "found\n");
    input.detectors = resource_detectors("host,none,nonsense");
    CHECK_EQ(input.detectors, RESOURCE_HOST);
    input.attributes = "host.id=said,deployment.environment.name=test";
    resource_find(&r, &input);
    CHECK_STR(resource_get(&r, "host.id"), "said");
    CHECK_STR(resource_get(&r, "deployment.environment.name"), "test");
    CHECK_STR(resource_get(&r, "os.type"), ""); /* nobody asked for it */
    CHECK_STR(r.schema_url, RESOURCE_SCHEMA_URL);
    CHECK(!r.conflict);
    resource_done(&r);
}

TEST(schema_urls_are_merged_by_the_rules_of_the_standard)
{
    static const struct {
        const char *lower, *upper, *url;
        bool conflict;
    } cases[] = {{"", "", "", false},
                 {"a", "", "a", false},
                 {"", "b", "b", false},
                 {"a", "a", "a", false},
                 {"a", "b", "a", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct resource lower = {.schema_url = ""}, upper = {.schema_url = ""};
        snprintf(lower.schema_url, sizeof lower.schema_url, "%s", cases[i].lower);
        snprintf(upper.schema_url, sizeof upper.schema_url, "%s", cases[i].upper);
        resource_set(&lower, "k", "lower");
        resource_set(&lower, "own", "x");
        resource_set(&upper, "k", "upper");
        resource_merge(&lower, &upper);
        CHECK_STR(resource_get(&lower, "k"), "upper");
        CHECK_STR(resource_get(&lower, "own"), "x");
        CHECK_STR(lower.schema_url, cases[i].url);
        CHECK_EQ(lower.conflict, cases[i].conflict);
        resource_done(&lower);
        resource_done(&upper);
    }
}

TEST(long_values_are_cut_at_a_character_and_all_lands_in_the_catalog)
{
    struct resource r = {.schema_url = ""};
    struct model_catalog c;
    char text[700];
    memset(text, 'a', sizeof text);
    text[510] = '\xc3';
    text[511] = '\xa4';
    text[699] = 0;
    resource_set(&r, "long", text);
    resource_set(&r, "", "x");
    resource_set(&r, "empty", "");
    CHECK_EQ(strlen(resource_get(&r, "long")), 510);
    CHECK_EQ(r.attrs.count, 1);
    model_catalog_init(&c);
    CHECK_EQ(resource_apply(&r, &c), 0);
    CHECK_EQ(model_catalog_resource(&c, "long").n, 510);
    model_catalog_done(&c);
    resource_done(&r);
}

/* ---- clouds ---- */

static void answer(int fd, int status, const char *body)
{
    char head[200];
    snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
             status, strlen(body));
    peer_send(fd, head);
    peer_send(fd, body);
}

/* All three clouds at once, each only for its own header. */
static void metadata(int fd, unsigned which, void *arg)
{
    char request[2000];
    const char *cloud = *(const char *const *)arg;
    (void)which;
    if (!peer_read_until(fd, "\r\n\r\n", request, sizeof request))
        return;
    bool aws = strcmp(cloud, "aws") == 0, gcp = strcmp(cloud, "gcp") == 0;
    if (aws && strncmp(request, "PUT /latest/api/token", 21) == 0)
        answer(fd, 200, "tokentoken");
    else if (aws && strstr(request, "X-aws-ec2-metadata-token: tokentoken"))
        answer(fd, 200,
               "{\"region\":\"eu-1\",\"availabilityZone\":\"eu-1a\",\"accountId\":\"42\","
               "\"instanceId\":\"i-1\",\"instanceType\":\"t.x\",\"imageId\":\"ami-1\"}");
    else if (gcp && strstr(request, "Metadata-Flavor: Google") && strstr(request, "project-id"))
        answer(fd, 200, "proj");
    else if (gcp && strstr(request, "Metadata-Flavor: Google"))
        answer(fd, 200,
               "{\"id\":8087716956832600000,\"name\":\"vm\",\"zone\":\"projects/1/zones/"
               "us-b1-c\",\"machineType\":\"projects/1/machineTypes/n1\"}");
    else if (strcmp(cloud, "azure") == 0 && strstr(request, "Metadata: true"))
        answer(fd, 200,
               "{\"location\":\"west\",\"vmId\":\"id\",\"name\":\"n\",\"vmSize\":\"s\","
               "\"subscriptionId\":\"sub\",\"resourceId\":\"/r\"}");
    else
        answer(fd, 404, "no");
}

static void ask_cloud(const char *cloud, unsigned detectors, struct resource *r)
{
    static const char *kept;
    char url[64];
    kept = cloud;
    struct peer *p = peer_start(metadata, &kept, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", peer_port(p));
    resource_find_cloud(r, detectors, url, clock_mono_ns() + UINT64_C(60000000000));
    peer_stop(p);
}

TEST(each_cloud_is_known_by_its_metadata)
{
    struct resource aws = {.schema_url = ""}, gcp = {.schema_url = ""}, azure = {.schema_url = ""};
    ask_cloud("aws", RESOURCE_CLOUD, &aws);
    CHECK_STR(resource_get(&aws, "cloud.provider"), "aws");
    CHECK_STR(resource_get(&aws, "cloud.region"), "eu-1");
    CHECK_STR(resource_get(&aws, "cloud.account.id"), "42");
    CHECK_STR(resource_get(&aws, "host.id"), "i-1");
    ask_cloud("gcp", RESOURCE_CLOUD, &gcp);
    CHECK_STR(resource_get(&gcp, "cloud.provider"), "gcp");
    CHECK_STR(resource_get(&gcp, "cloud.availability_zone"), "us-b1-c");
    CHECK_STR(resource_get(&gcp, "cloud.region"), "us-b1");
    CHECK_STR(resource_get(&gcp, "host.id"), "8087716956832600000");
    CHECK_STR(resource_get(&gcp, "host.type"), "n1");
    ask_cloud("azure", RESOURCE_CLOUD, &azure);
    CHECK_STR(resource_get(&azure, "cloud.provider"), "azure");
    CHECK_STR(resource_get(&azure, "cloud.resource_id"), "/r");
    CHECK_STR(azure.schema_url, RESOURCE_SCHEMA_URL);
    resource_done(&aws);
    resource_done(&gcp);
    resource_done(&azure);
}

TEST(a_cloud_that_is_not_wanted_not_there_or_silent_says_nothing)
{
    struct resource r = {.schema_url = ""};
    char url[64];
    ask_cloud("aws", RESOURCE_GCP, &r);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", peer_unused_port());
    resource_find_cloud(&r, RESOURCE_CLOUD, url, clock_mono_ns() + UINT64_C(60000000000));
    resource_find_cloud(&r, RESOURCE_CLOUD, "https://127.0.0.1:1", clock_mono_ns() + 1);
    resource_find_cloud(&r, RESOURCE_CLOUD, "nonsense", clock_mono_ns() + 1);
    CHECK_EQ(r.attrs.count, 0);
    resource_done(&r);
}

static void silent(int fd, unsigned which, void *arg)
{
    (void)which, (void)arg;
    peer_drain(fd);
}

TEST(a_cloud_that_never_answers_is_given_up_at_the_deadline)
{
    struct resource r = {.schema_url = ""};
    char url[64];
    struct peer *p = peer_start(silent, NULL, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", peer_port(p));
    resource_find_cloud(&r, RESOURCE_CLOUD, url, clock_mono_ns() + 50000000);
    CHECK_EQ(r.attrs.count, 0);
    peer_stop(p);
    resource_done(&r);
}

TEST_MAIN()
