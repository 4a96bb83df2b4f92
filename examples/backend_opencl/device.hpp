// One OpenCL device and its memory. What a backend needs of OpenCL is a dozen calls; each is checked, and what they return is released.
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

inline void check(cl_int code, const char* what) {
  if (code != CL_SUCCESS) throw std::runtime_error(std::string("OpenCL: ") + what + " gave error " + std::to_string(code));
}

using Memory = std::shared_ptr<std::remove_pointer_t<cl_mem>>;  // null: no such tensor, and a null pointer in the kernel

class Device {
 public:
  /// The first GPU there is, else the first device.
  Device() {
    cl_uint count = 0;
    clGetPlatformIDs(0, nullptr, &count);
    std::vector<cl_platform_id> platforms(count);
    if (count > 0) check(clGetPlatformIDs(count, platforms.data(), nullptr), "clGetPlatformIDs");
    for (const cl_device_type type : {cl_device_type{CL_DEVICE_TYPE_GPU}, cl_device_type{CL_DEVICE_TYPE_ALL}})
      for (const cl_platform_id platform : platforms)
        if (!device_) clGetDeviceIDs(platform, type, 1, &device_, nullptr);
    if (!device_) throw std::runtime_error("OpenCL: no device (Debian: pocl-opencl-icd makes one of the CPU)");
    cl_int code;
    context_.reset(clCreateContext(nullptr, 1, &device_, nullptr, nullptr, &code), clReleaseContext);
    check(code, "clCreateContext");
    queue_.reset(clCreateCommandQueue(context_.get(), device_, 0, &code), clReleaseCommandQueue);
    check(code, "clCreateCommandQueue");
  }

  std::string name() const {
    char text[256] = "";
    check(clGetDeviceInfo(device_, CL_DEVICE_NAME, sizeof text, text, nullptr), "clGetDeviceInfo");
    return text;
  }

  /// Compiles OpenCL C. The compiler's words are the error where it does not compile.
  void build(const std::string& source, const std::string& options) {
    const char* text = source.c_str();
    cl_int code;
    program_.reset(clCreateProgramWithSource(context_.get(), 1, &text, nullptr, &code), clReleaseProgram);
    check(code, "clCreateProgramWithSource");
    if (clBuildProgram(program_.get(), 1, &device_, options.c_str(), nullptr, nullptr) == CL_SUCCESS) return;
    std::string log(1 << 16, '\0');
    clGetProgramBuildInfo(program_.get(), device_, CL_PROGRAM_BUILD_LOG, log.size(), log.data(), nullptr);
    throw std::runtime_error("OpenCL: the kernels do not compile:\n" + std::string(log.c_str()));
  }

  /// Memory of the device; with a copy of what is given.
  template <class Number>
  Memory upload(const std::vector<Number>& numbers) { return allocate(numbers.size() * sizeof(Number), numbers.data()); }

  Memory allocate(std::size_t bytes, const void* content = nullptr) {
    if (bytes == 0) bytes = 1, content = nullptr;  // OpenCL has no empty memory
    cl_int code;
    const cl_mem memory = clCreateBuffer(context_.get(), content ? CL_MEM_COPY_HOST_PTR : CL_MEM_READ_WRITE, bytes, const_cast<void*>(content), &code);
    check(code, "clCreateBuffer");
    return {memory, clReleaseMemObject};
  }

  template <class Number>
  std::vector<Number> download(const Memory& memory, std::size_t count) {
    std::vector<Number> numbers(count);
    if (count > 0) check(clEnqueueReadBuffer(queue_.get(), memory.get(), CL_TRUE, 0, count * sizeof(Number), numbers.data(), 0, nullptr, nullptr), "clEnqueueReadBuffer");
    return numbers;
  }

  /// Runs a kernel in groups of `lanes` work-items. Arguments: int and Memory, in the kernel's order. Kernels run one after another.
  template <class... Arguments>
  void run(const char* kernel_name, int groups, const Arguments&... arguments) {
    if (groups == 0) return;
    cl_int code;
    const std::shared_ptr<std::remove_pointer_t<cl_kernel>> kernel(clCreateKernel(program_.get(), kernel_name, &code), clReleaseKernel);
    check(code, kernel_name);
    cl_uint place = 0;
    (set(kernel.get(), place++, arguments), ...);
    const std::size_t local = lanes, global = static_cast<std::size_t>(groups) * lanes;
    check(clEnqueueNDRangeKernel(queue_.get(), kernel.get(), 1, nullptr, &global, &local, 0, nullptr, nullptr), kernel_name);
  }

  static constexpr int lanes = 64;  // LANES of storage.cl

 private:
  static void set(cl_kernel kernel, cl_uint place, int number) { check(clSetKernelArg(kernel, place, sizeof number, &number), "clSetKernelArg"); }
  static void set(cl_kernel kernel, cl_uint place, const Memory& memory) {
    const cl_mem pointer = memory.get();
    check(clSetKernelArg(kernel, place, sizeof pointer, memory ? &pointer : nullptr), "clSetKernelArg");
  }

  cl_device_id device_ = nullptr;
  std::shared_ptr<std::remove_pointer_t<cl_context>> context_;
  std::shared_ptr<std::remove_pointer_t<cl_command_queue>> queue_;
  std::shared_ptr<std::remove_pointer_t<cl_program>> program_;
};
